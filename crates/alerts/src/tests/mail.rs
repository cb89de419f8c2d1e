//! Mail, to a server that keeps to the protocol and one that does not.

use std::sync::Arc;

use mail_parser::MessageParser;
use mainspring_catalog::Catalog;
use mainspring_testservers::{
    on_every_engine,
    smtp::{Mail, MailServer, Manner, Trouble},
    upstream::Certificate,
};

use super::*;
use crate::{
    DeliveryState, Email,
    send::{Address, Envelope, message},
};

on_every_engine!(Catalog: [
    mail_is_sent_under_tls_with_a_password,
    each_way_to_log_in_is_known,
    nothing_is_sent_in_the_open_that_should_not_be,
    whom_the_server_does_not_know_is_seen,
    what_is_put_off_arrives_later,
    each_trouble_of_a_mail_server_is_seen,
    mails_of_one_incident_stand_together,
]);

const LOGIN: &str = "spring@example.com";

fn certificate() -> Arc<Certificate> {
    Arc::new(Certificate::for_localhost().unwrap())
}

fn locked(certificate: &Arc<Certificate>) -> Manner {
    let login = Some((LOGIN.to_owned(), PASSWORD.to_owned()));
    Manner { certificate: Some(certificate.clone()), login, ..Manner::default() }
}

async fn trusting(catalog: Catalog, certificate: &Certificate) -> Room {
    let authorities = Some(certificate.path());
    Room::with(catalog, SocketConfig { allow_private: true, authorities, ..SocketConfig::default() }).await
}

impl Room {
    async fn mailbox(&self, name: &str, server: &MailServer, more: Value) {
        let mut email = json!({
            "host": "localhost", "port": server.port(), "from": "Mainspring <alerts@example.com>",
            "to": ["one@example.com", "two@example.com"],
        });
        for (field, value) in more.as_object().unwrap() {
            email[field] = value.clone();
        }
        self.apply("receiver", name, json!({ "email": email, "timeout": "2s" })).await;
    }

    async fn error(&self, receiver: &str) -> String {
        self.only_delivery(receiver).await.error.unwrap_or_default()
    }
}

fn with_password() -> Value {
    json!({ "username": LOGIN, "password": "env:PASSWORD" })
}

async fn mail_is_sent_under_tls_with_a_password(catalog: Catalog) {
    let certificate = certificate();
    let room = trusting(catalog, &certificate).await;
    let server = MailServer::start(locked(&certificate)).unwrap();
    room.mailbox("ops", &server, with_password()).await;
    let alert =
        Alert { summary: "Antworten sind zu langsam: über 4 Sekunden, und zwar überall".to_owned(), ..room.alert("de") };
    let id = room.alerts.raise(alert).await.unwrap().incident;
    room.deliver().await;
    let delivery = room.only_delivery("ops").await;
    assert_eq!((delivery.state, delivery.status, delivery.error), (DeliveryState::Delivered, Some(250), None));
    let mails = server.mails();
    let [Mail { from, to, data, secure, user, hello }] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(
        (from.as_str(), *secure, user.as_deref(), hello.as_str()),
        ("alerts@example.com", true, Some(LOGIN), "[127.0.0.1]")
    );
    assert_eq!(to.as_slice(), ["one@example.com", "two@example.com"]);
    let message = MessageParser::default().parse(data.as_bytes()).unwrap();
    assert_eq!(message.subject(), Some("[error] latency: Antworten sind zu langsam: über 4 Sekunden, und zwar überall"));
    assert_eq!(message.message_id(), Some(format!("{}@example.com", delivery.id).as_str()), "the same for each try");
    let text = message.body_text(0).unwrap();
    assert!(text.contains("über 4 Sekunden") && text.contains("p95: 4.2") && text.contains("trace a1b2"), "{text}");
    assert!(text.contains(&format!("https://spring.example/incidents/{id}")), "{text}");
    assert_eq!(message.date().unwrap().to_timestamp(), start().as_seconds());
}

async fn each_way_to_log_in_is_known(catalog: Catalog) {
    let certificate = certificate();
    let room = trusting(catalog, &certificate).await;
    let by_login = MailServer::start(Manner { ways: "LOGIN".to_owned(), ..locked(&certificate) }).unwrap();
    room.mailbox("login", &by_login, with_password()).await;
    let at_once = MailServer::start(Manner { tls_at_once: true, ..locked(&certificate) }).unwrap();
    let mut tls = with_password();
    tls["security"] = json!("tls");
    room.mailbox("at-once", &at_once, tls).await;
    let open = MailServer::start(Manner::default()).unwrap();
    room.mailbox("open", &open, json!({ "security": "none" })).await;
    room.raise("de").await;
    room.deliver().await;
    for (receiver, server, secure) in [("login", &by_login, true), ("at-once", &at_once, true), ("open", &open, false)] {
        assert_eq!(room.said(receiver).await, ["opened delivered"], "{}", room.error(receiver).await);
        assert_eq!(server.mails()[0].secure, secure, "{receiver}");
    }
}

async fn nothing_is_sent_in_the_open_that_should_not_be(catalog: Catalog) {
    let certificate = certificate();
    let room = trusting(catalog, &certificate).await;
    let open = MailServer::start(Manner::default()).unwrap();
    room.mailbox("no-tls", &open, json!({})).await;
    let injected = MailServer::start(Manner { trouble: Some(Trouble::Inject), ..locked(&certificate) }).unwrap();
    room.mailbox("injected", &injected, with_password()).await;
    let untrusted = MailServer::start(locked(&Arc::new(Certificate::for_localhost().unwrap()))).unwrap();
    room.mailbox("untrusted", &untrusted, with_password()).await;
    let wrong =
        MailServer::start(Manner { login: Some((LOGIN.to_owned(), "another".to_owned())), ..locked(&certificate) }).unwrap();
    room.mailbox("wrong", &wrong, with_password()).await;
    room.raise("de").await;
    room.deliver().await;
    for (receiver, said) in [
        ("no-tls", "offers no STARTTLS"),
        ("injected", "something was put into the connection"),
        ("untrusted", "its certificate"),
        ("wrong", "does not take the password: 535 not with [credential]"),
    ] {
        let error = room.error(receiver).await;
        assert!(error.contains(said) && !error.contains(PASSWORD), "{receiver}: {error}");
        assert_eq!(room.said(receiver).await, ["opened pending"]);
    }
    assert!([open, injected, untrusted, wrong].iter().all(|server| server.mails().is_empty()));
}

async fn whom_the_server_does_not_know_is_seen(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let both = vec!["one@example.com".to_owned(), "two@example.com".to_owned()];
    let one = MailServer::start(Manner { unknown: both[..1].to_vec(), ..Manner::default() }).unwrap();
    room.mailbox("one", &one, json!({ "security": "none" })).await;
    let none = MailServer::start(Manner { unknown: both, ..Manner::default() }).unwrap();
    room.mailbox("none", &none, json!({ "security": "none" })).await;
    room.raise("de").await;
    room.deliver().await;
    assert_eq!(room.said("one").await, ["opened delivered"]);
    assert!(room.error("one").await.starts_with("not everybody has it: one@example.com: 550"), "{}", room.error("one").await);
    assert_eq!(one.mails()[0].to, ["two@example.com"]);
    assert_eq!((room.said("none").await, none.mails().len()), (vec!["opened failed".to_owned()], 0));
}

async fn what_is_put_off_arrives_later(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let server = MailServer::start(Manner { trouble: Some(Trouble::PutOff(2)), ..Manner::default() }).unwrap();
    room.mailbox("ops", &server, json!({ "security": "none" })).await;
    room.raise("de").await;
    room.deliver().await;
    let delivery = room.only_delivery("ops").await;
    assert_eq!((delivery.state, delivery.status), (DeliveryState::Pending, Some(451)), "{:?}", delivery.error);
    room.deliver_later().await;
    assert_eq!(room.said("ops").await, ["opened delivered"]);
}

async fn each_trouble_of_a_mail_server_is_seen(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let troubles = [
        (Trouble::Hang, "it was not done within 2s"),
        (Trouble::HangAtEnd, "it was not done within 2s"),
        (Trouble::Close, "the mail server closed the connection"),
        (Trouble::Busy, "the mail server is not ready: 421"),
        (Trouble::Http, "what answers there is no mail server"),
    ];
    let start =
        |(trouble, _): &(Trouble, &str)| MailServer::start(Manner { trouble: Some(*trouble), ..Manner::default() }).unwrap();
    let servers: Vec<MailServer> = troubles.iter().map(start).collect();
    for (n, server) in servers.iter().enumerate() {
        room.mailbox(&format!("r{n}"), server, json!({ "security": "none" })).await;
    }
    room.raise("de").await;
    room.deliver().await;
    for (n, (trouble, said)) in troubles.iter().enumerate() {
        let receiver = format!("r{n}");
        assert!(room.error(&receiver).await.contains(said), "{trouble:?}: {}", room.error(&receiver).await);
        servers[n].behave(|manner| manner.trouble = None);
    }
    room.deliver_later().await;
    for (n, (trouble, _)) in troubles.iter().enumerate() {
        assert_eq!(room.said(&format!("r{n}")).await, ["opened delivered"], "{trouble:?}");
    }
    let twice = servers[1].mails();
    assert_eq!(twice.len(), 2, "nobody can know whether a message was taken when the answer is missing");
    let id = |mail: &Mail| MessageParser::default().parse(mail.data.as_bytes()).unwrap().message_id().unwrap().to_owned();
    assert_eq!(id(&twice[0]), id(&twice[1]), "so it can be known again");
}

async fn mails_of_one_incident_stand_together(catalog: Catalog) {
    let room = Room::over(catalog).await;
    let server = MailServer::start(Manner::default()).unwrap();
    room.mailbox("ops", &server, json!({ "security": "none" })).await;
    room.raise("de").await;
    room.deliver().await;
    room.resolve("de").await;
    room.deliver().await;
    let mails = server.mails();
    let read: Vec<_> = mails.iter().map(|mail| MessageParser::default().parse(mail.data.as_bytes()).unwrap()).collect();
    assert_eq!(read[0].references().as_text(), read[1].references().as_text());
    assert_ne!(read[0].message_id(), read[1].message_id());
    assert_eq!(read[1].subject(), Some("[resolved] latency: answers of de are slow"));
}

/// Whatever a model has said, a message keeps to the protocol.
#[test]
fn a_message_has_short_lines_of_ascii_whatever_it_says() {
    let spec: Email = serde_json::from_value(json!({
        "host": "h", "from": "Wärter <a@example.com>", "to": ["b@example.com"],
    }))
    .unwrap();
    let envelope = Envelope::of(&spec).unwrap();
    for title in ["\r\nBcc: x@y.z\r\n\r\nhello", ".", "ü\u{1F525}".repeat(300).as_str(), "=?utf-8?B?eA==?=", "", "\u{2028}\u{0}"]
    {
        let mut notice = crate::notice::Notice::test(("ours", "ops"), start(), "");
        notice.title = title.to_owned();
        notice.alerts[0].summary = format!(".\r\n.\r\n{title}");
        let text = message(&envelope, &notice, "dlv_1", start());
        let mut lines = text.split("\r\n");
        assert!(lines.all(|line| line.len() <= 998 && line.is_ascii() && !line.starts_with('.') && !line.contains(['\r', '\n'])));
        let read = MessageParser::default().parse(text.as_bytes()).unwrap();
        assert_eq!(read.to().unwrap().first().unwrap().address(), Some("b@example.com"));
        assert_eq!(read.from().unwrap().first().unwrap().name(), Some("Wärter"));
        assert!(read.bcc().is_none() && read.subject().unwrap().starts_with("[info]"), "{text}");
    }
    let plain: Address = "Alerts of the house <a@example.com>".parse().unwrap();
    assert_eq!(plain.to_string(), "\"Alerts of the house\" <a@example.com>");
}

use super::{files, parse, shape, warned};
use crate::BlockKind;

#[test]
fn mail_shows_headers_body_and_attachments() {
    let mail = "From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello Bob.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n\r\nxx\r\n--b--\r\n";
    let document = parse("m.eml", mail).unwrap();
    assert_eq!(document.title, "Grüße");
    assert!(
        document.text.contains("From: Ada <ada@example.org>")
            && document.text.contains("Hello Bob.")
            && document.text.contains("plan.pdf"),
        "{}",
        document.text
    );
}

#[test]
fn what_is_attached_as_text_is_read_and_the_rest_is_named() {
    let document = parse("m.eml", files::MAIL).unwrap();
    let rows = shape(&document);
    let rows: Vec<(&str, &str)> = rows.iter().map(|(_, text, path)| (*text, path.as_str())).collect();
    assert_eq!(
        rows,
        [
            ("From: Ada <ada@example.org>\nTo: Bob <bob@example.org>\nCc: Jürgen <j@example.org>\nSubject: Grüße", ""),
            ("Hello über Bob.", ""),
            ("## Attachment: notes.md", ""),
            ("# Plan", "Attachment: notes.md"),
            ("See [it](https://x.example).", "Attachment: notes.md > Plan"),
            ("## Attachment: data.json", ""),
            ("price: 7", "Attachment: data.json"),
            ("## Attached message: Inner", ""),
            ("From: Eve <eve@example.org>\nSubject: Inner", "Attached message: Inner"),
            ("Forwarded words.", "Attached message: Inner"),
            ("Attachment: bad.json\nAttachment: plan.pdf", ""),
        ]
    );
    assert_eq!(document.links.iter().map(|link| link.target.as_str()).collect::<Vec<_>>(), ["https://x.example"]);
    let target = document.text.find("https").unwrap();
    assert_eq!(document.spoken(target - 5..target + 19), "it.", "what is not to be searched moved with its text");
    let told = warned(&document);
    assert_eq!((told.len(), told[0].0), (1, "parse-attachment-unread"), "{told:?}");
    assert!(told[0].1.starts_with("attachment `bad.json` cannot be read: it is not a whole JSON file"));
}

#[test]
fn a_mail_that_is_a_page_keeps_its_structure() {
    let page = "<html><body><h1>Offer</h1><p>Buy <a href=3D\"https://shop.example/x\">this</a>.</p><ul><li>one</li><li>two</li></ul></body></html>";
    let alone = format!(
        "From: a@example.org\r\nSubject: Offer\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{page}\r\n"
    );
    let empty_text = format!(
        "From: a@example.org\r\nSubject: Offer\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n \r\n\
         --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{page}\r\n--b--\r\n"
    );
    for mail in [alone, empty_text] {
        let document = parse("m.eml", mail).unwrap();
        let rows = shape(&document);
        let rows: Vec<(&str, &str, &str)> = rows.iter().skip(1).map(|(kind, text, path)| (*kind, *text, path.as_str())).collect();
        let want = [
            ("heading", "# Offer", ""),
            ("paragraph", "Buy this.", "Offer"),
            ("listitem", "one", "Offer"),
            ("listitem", "two", "Offer"),
        ];
        let bare: Vec<(&str, &str, &str)> =
            rows.iter().map(|(kind, text, path)| (*kind, text.trim_start_matches(['*', '-', ' ']), *path)).collect();
        assert_eq!(bare, want);
        assert_eq!(document.links[0].target, "https://shop.example/x");
        assert_eq!(document.title, "Offer");
    }
}

#[test]
fn mail_is_read_in_the_encodings_it_is_written_in() {
    let check = |head: &str, body: &[u8], want: &str| {
        let mut mail = format!("From: a@example.org\r\n{head}\r\n\r\n").into_bytes();
        mail.extend_from_slice(body);
        let document = parse("m.eml", mail).unwrap();
        assert!(document.text.ends_with(want), "{head}: {}", document.text);
    };
    check("Content-Type: text/plain; charset=iso-8859-1", b"Gr\xFC\xDFe", "Grüße");
    check("Content-Type: text/plain; charset=windows-1251", b"\xCF\xF0\xE8\xE2\xE5\xF2", "Привет");
    check("Content-Type: text/plain; charset=shift_jis", b"\x93\xFA\x96{", "日本");
    check("Content-Type: text/plain; charset=gb2312", b"\xD6\xD0\xCE\xC4", "中文");
    check("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64", b"R3LDvMOfZQ==", "Grüße");
    check(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
        b"Gr=C3=BC=C3=9Fe =3D so=\r\nft",
        "Grüße = soft",
    );
    check("Content-Type: text/plain", b"cut \xFF off", "cut \u{fffd} off");
    let subject = |raw: &str| parse("m.eml", format!("From: a@example.org\r\nSubject: {raw}\r\n\r\nx")).unwrap().title;
    assert_eq!(subject("=?iso-8859-1?Q?Gr=FC=DFe_an_alle?="), "Grüße an alle");
    assert_eq!(subject("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?="), "日本");
    assert_eq!(subject("=?utf-8?B?R3LDvA==?=\r\n =?utf-8?B?w59l?="), "Grüße");
    let kinds: Vec<BlockKind> =
        parse("m.eml", "From: a@example.org\r\n\r\nx").unwrap().blocks.into_iter().map(|block| block.kind).collect();
    assert_eq!(kinds, [BlockKind::Record, BlockKind::Paragraph]);
}

#[test]
fn what_a_mail_holds_too_much_or_too_deep_is_said() {
    let within = |inner: &str, name: &str| {
        format!(
            "From: a@example.org\r\nSubject: {name}\r\nContent-Type: multipart/mixed; boundary={name}\r\n\r\n\
             --{name}\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--{name}--\r\n"
        )
    };
    let mut mail = "From: a@example.org\r\nSubject: innermost\r\n\r\nThe last words.\r\n".to_owned();
    for name in ["third", "second", "first", "outer"] {
        mail = within(&mail, name);
    }
    let document = parse("m.eml", mail).unwrap();
    assert!(document.text.contains("Attached message: third") && !document.text.contains("last words"), "{}", document.text);
    assert_eq!(warned(&document), [("parse-nesting-cut", "message `innermost` is attached 4 deep and not read")]);

    let latin = "Content-Type: application/json; name=\"a.json\"\r\nContent-Disposition: attachment; filename=\"a.json\"\r\n\
                 Content-Transfer-Encoding: quoted-printable\r\n\r\n{\"name\": \"Gr=FC=DFe aus dem Norden\"}";
    let part = |text: &str| format!("--b\r\n{text}\r\n");
    let other = "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"p.pdf\"\r\n\r\nxx";
    let many = part(other).repeat(250);
    let mail = format!("Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}{many}--b--\r\n", part(latin));
    let document = parse("m.eml", mail).unwrap();
    let told = warned(&document);
    assert_eq!(told[0], ("parse-attachments-cut", "251 parts are attached; the first 200 are read"), "{told:?}");
    assert_eq!(told[1].0, "parse-encoding-guessed", "{told:?}");
    assert!(told[1].1.starts_with("attachment `a.json`: the text was not UTF-8"), "{told:?}");
}

use proptest::prelude::*;

use crate::{
    ConfigFault, Layers, Origin,
    units::{Bytes, Seconds},
};

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_defaults_are_whole() {
    let config = Layers::defaults().unwrap().build().unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7400");
    assert!(config.data.dir.ends_with(".mainspring") && config.data.dir.is_absolute());
    assert!(config.client.url.is_none());
}

#[test]
fn later_layers_win_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1\"\nbody_limit = \"1MiB\"\n").unwrap();
    let layers = Layers::defaults()
        .unwrap()
        .with_file(&file)
        .unwrap()
        .with_environment(env(&[("MAINSPRING_LISTEN", "127.0.0.1:2"), ("MAINSPRING__MODELS__PULL", "false"), ("PATH", "/bin")]))
        .unwrap();
    let config = layers.build().unwrap();
    assert_eq!((config.server.listen.port(), config.server.body_limit, config.models.pull), (2, Bytes(1 << 20), false));
    let origin = |key: &str| layers.settings().into_iter().find(|setting| setting.key == key).unwrap().origin;
    assert_eq!(origin("server.listen"), Origin::Environment("MAINSPRING_LISTEN".into()));
    assert_eq!(origin("server.body_limit"), Origin::File(file.display().to_string()));
    assert_eq!(origin("lake.durability"), Origin::Default);
    let flagged = layers.with_flag("server.listen", "--listen", "127.0.0.1:3").unwrap().build().unwrap();
    assert_eq!(flagged.server.listen.port(), 3);
}

#[test]
fn a_list_of_models_is_the_one_named_or_the_one_in_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().display().to_string();
    let with = |pairs: &[(&str, &str)]| {
        let mut pairs = env(pairs);
        pairs.push(("MAINSPRING_DATA".to_owned(), data.clone()));
        Layers::defaults().unwrap().with_environment(pairs).unwrap().build().unwrap().models_list()
    };
    assert_eq!(with(&[]), None);
    std::fs::write(dir.path().join("models.toml"), "").unwrap();
    assert_eq!(with(&[]), Some(dir.path().join("models.toml")));
    // One that is named is meant, there or not.
    assert_eq!(with(&[("MAINSPRING__MODELS__LIST", "/etc/models.toml")]), Some("/etc/models.toml".into()));
}

#[test]
fn unknown_settings_name_the_nearest() {
    let fault = Layers::defaults().unwrap().with_environment(env(&[("MAINSPRING__SERVER__LISTN", "x")])).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "MAINSPRING__SERVER__LISTN sets `server.listn`, which is not a setting: did you mean `server.listen`?"
    );
}

#[test]
fn wrong_types_and_values_are_refused() {
    let with = |name, value| Layers::defaults().unwrap().with_environment(env(&[(name, value)]));
    assert!(matches!(with("MAINSPRING__MODELS__PULL", "maybe"), Err(ConfigFault::WrongType { .. })));
    assert!(matches!(with("MAINSPRING_LISTEN", "nowhere").unwrap().build(), Err(ConfigFault::Invalid { .. })));
    assert!(matches!(with("MAINSPRING__LAKE__DURABILITY", "maybe").unwrap().build(), Err(ConfigFault::Invalid { .. })));
    assert!(matches!(with("MAINSPRING__SERVER__PUBLIC_URL", "example.com").unwrap().build(), Err(ConfigFault::Invalid { .. })));
    assert!(matches!(with("MAINSPRING__SERVER__BODY_LIMIT", "12 elephants").unwrap().build(), Err(ConfigFault::Invalid { .. })));
}

#[test]
fn secrets_do_not_print() {
    let layers = Layers::defaults()
        .unwrap()
        .with_environment(env(&[
            ("MAINSPRING_API_KEY", "msk_secret"),
            ("MAINSPRING_CATALOG", "postgres://u:hunter2@h/d"),
            ("MAINSPRING_MASTER_KEY", "of-the-secrets"),
        ]))
        .unwrap();
    let shown = format!("{:?} {:?}", layers.settings(), layers.build().unwrap());
    assert!(!["msk_secret", "hunter2", "of-the-secrets"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn units_read_as_people_write_them() {
    let seconds = |text: &str| text.parse::<Seconds>().map(|s| s.0.as_millis()).ok();
    assert_eq!(
        (seconds("250ms"), seconds("30s"), seconds("2 h"), seconds("x"), seconds("5")),
        (Some(250), Some(30_000), Some(7_200_000), None, None)
    );
    let bytes = |text: &str| text.parse::<Bytes>().map(|b| b.0).ok();
    assert_eq!(
        (bytes("512"), bytes("32MiB"), bytes("1kB"), bytes("99999999999999GiB")),
        (Some(512), Some(32 << 20), Some(1000), None)
    );
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in ".{0,200}") {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("m.toml");
        std::fs::write(&file, text).unwrap();
        let _ = Layers::defaults().unwrap().with_file(&file).and_then(|layers| layers.build());
    }
}

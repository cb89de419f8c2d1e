//! `mainspring secrets`.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Read as _},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, bail};
use mainspring_wire as wire;

use super::{Session, segment};
use crate::{
    args::Secrets,
    output::{self, dash, line, say, table},
};

/// A little more than a secret may have, so that one that is too long is refused by the server, which knows.
const INPUT_MAX: u64 = 128 * 1024;

pub(crate) async fn run(session: &Session, command: Secrets) -> anyhow::Result<ExitCode> {
    match command {
        Secrets::Set { name } => {
            let request = wire::NewSecret { value: value(&name).await? };
            let set: wire::SecretView = session.client.put(&path(&name), &request).await?;
            told(session, &set, "is set");
        }
        Secrets::List => list(session).await?,
        Secrets::Remove { name } => {
            let removed: wire::SecretView = session.client.delete(&path(&name)).await?;
            told(session, &removed, "is removed");
        }
        Secrets::RotateKey => {
            let resealed: wire::ResealedSecrets =
                session.client.post("/api/v1/master-key/rotate", &serde_json::json!({})).await?;
            if session.json {
                output::json(&resealed);
            } else {
                line(&format!("{} secrets are sealed with the master key {}", resealed.secrets, resealed.master_key));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(name: &str) -> String {
    format!("/api/v1/secrets/{}", segment(name))
}

fn told(session: &Session, secret: &wire::SecretView, what: &str) {
    if session.json {
        output::json(secret);
    } else {
        line(&format!("{} {what} (fingerprint {})", secret.name, secret.fingerprint));
    }
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let secrets: Vec<wire::SecretView> = session.client.all("/api/v1/secrets").await?;
    if session.json {
        output::json(&secrets);
        return Ok(());
    }
    let rows = secrets.iter().map(|secret| {
        vec![
            secret.name.clone(),
            secret.fingerprint.clone(),
            secret.changed_at.clone(),
            secret.changed_by.clone(),
            dash(secret.last_used_at.as_deref()),
        ]
    });
    table(&["name", "fingerprint", "set", "by", "last used"], rows.collect());
    Ok(())
}

/// From a pipe all of it; from a person one line that is not shown while it is typed.
async fn value(name: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        let mut text = String::new();
        io::stdin().take(INPUT_MAX).read_to_string(&mut text).context("standard input cannot be read")?;
        return Ok(text);
    }
    say(&format!("the value of {name}, which is not shown:"));
    let hidden = Hidden::begin();
    let typed = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        io::stdin().lock().read_line(&mut text).map(|_| text)
    });
    // Otherwise the interrupt would end the program before the terminal shows again what is typed.
    let text = tokio::select! {
        text = typed => text.context("the line was not read")?.context("the terminal cannot be read")?,
        _ = tokio::signal::ctrl_c() => {
            drop(hidden);
            bail!("nothing was set");
        }
    };
    Ok(text)
}

/// While it lives, the terminal does not show what is typed.
struct Hidden;

impl Hidden {
    fn begin() -> Option<Self> {
        let hidden = stty("-echo");
        if !hidden {
            say("this terminal shows what is typed");
        }
        hidden.then_some(Self)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        stty("echo");
        say("");
    }
}

fn stty(mode: &str) -> bool {
    let told = Command::new("stty").arg(mode).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    told.is_ok_and(|status| status.success())
}

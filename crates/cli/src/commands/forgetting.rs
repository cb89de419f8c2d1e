//! `mainspring forget`, `receipts` and `tombstones`.

use std::process::ExitCode;

use mainspring_wire as wire;
use serde_json::json;

use super::{Session, segment};
use crate::{
    args::{Forget, Receipts, Tombstones},
    output::{self, dash, line, printable, say, table},
};

fn path(knowledge: &str) -> String {
    format!("/api/v1/knowledge/{}", segment(knowledge))
}

pub(crate) async fn forget(session: &Session, forget: Forget) -> anyhow::Result<ExitCode> {
    let request = wire::ForgetRequest { documents: forget.documents, source: forget.source, readmit: forget.readmit };
    let receipt: wire::ForgetReceipt = session.client.post(&format!("{}/forget", path(&forget.knowledge)), &request).await?;
    show(session, &receipt)
}

fn show(session: &Session, receipt: &wire::ForgetReceipt) -> anyhow::Result<ExitCode> {
    if session.json {
        output::json(receipt);
    } else {
        output::data(&printable(&yaml_serde::to_string(&json!({"receipt": receipt}))?));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn receipts(session: &Session, asked: &Receipts) -> anyhow::Result<ExitCode> {
    let Receipts { knowledge, receipt, paging } = asked;
    let all = format!("{}/receipts", path(knowledge));
    if let Some(id) = receipt {
        let found: wire::ForgetReceipt = session.client.get(&format!("{all}/{}", segment(id))).await?;
        return show(session, &found);
    }
    let page: wire::Page<wire::ForgetReceipt> = session.page(&all, paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page.items.iter().map(|receipt| {
        let rows: u64 = receipt.rows.iter().map(|of| of.rows).sum();
        let kept_out = if receipt.tombstones { "kept out" } else { "may come back" };
        vec![
            receipt.id.clone(),
            receipt.finished.clone(),
            receipt.documents.len().to_string(),
            rows.to_string(),
            dash(receipt.removed_spans),
            kept_out.to_owned(),
        ]
    });
    table(&["receipt", "finished", "documents", "chunks", "spans", "then"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn tombstones(session: &Session, asked: &Tombstones) -> anyhow::Result<ExitCode> {
    let Tombstones { knowledge, lift, paging } = asked;
    if !lift.is_empty() {
        return readmit(session, knowledge, lift).await;
    }
    let page: wire::Page<wire::TombstoneView> = session.page(&format!("{}/tombstones", path(knowledge)), paging).await?;
    if session.json {
        output::json(&page);
        return Ok(ExitCode::SUCCESS);
    }
    let rows = page
        .items
        .iter()
        .map(|stone| vec![stone.document.clone(), stone.source.clone(), stone.forgotten_at.clone(), stone.labels.join(" ")]);
    table(&["document", "source", "forgotten", "labels"], rows.collect());
    output::more(page.next.as_deref());
    Ok(ExitCode::SUCCESS)
}

async fn readmit(session: &Session, knowledge: &str, documents: &[String]) -> anyhow::Result<ExitCode> {
    let mut lifted = Vec::with_capacity(documents.len());
    for document in documents {
        let path = format!("{}/tombstones/{}", path(knowledge), segment(document));
        let stone: wire::TombstoneView = session.client.delete(&path).await?;
        if !session.json {
            line(&printable(&format!("{} of {} is not kept out any more", stone.document, stone.source)));
        }
        lifted.push(stone);
    }
    if session.json {
        output::json(&lifted);
    } else {
        say(&format!("`mainspring ingest {knowledge}` takes in again what its sources still have"));
    }
    Ok(ExitCode::SUCCESS)
}

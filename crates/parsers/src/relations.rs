//! Which part of an office file points to which: `_rels` beside each part.

use std::collections::HashMap;

use crate::{
    archive::{Archive, Node, walk},
    fault::ParseFault,
    limits::Limits,
};

pub(crate) struct Relation {
    /// The last part of its type's address: `slide`, `notesSlide`, `hyperlink`.
    pub(crate) kind: String,
    /// A member of the archive, or an address outside it.
    pub(crate) target: String,
}

/// By id, what a part points to; nothing when it points nowhere.
pub(crate) fn of(
    archive: &mut Archive<'_>,
    part: &str,
    format: &str,
    limits: &Limits,
) -> Result<HashMap<String, Relation>, ParseFault> {
    let mut relations = HashMap::new();
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let Some(xml) = archive.read(&format!("{folder}/_rels/{name}.rels"), format)? else { return Ok(relations) };
    walk(&xml, format, limits, |node| {
        if let Node::Open("Relationship", attributes) = node
            && let (Some(id), Some(target)) = (attributes.get("Id"), attributes.get("Target"))
        {
            let outside = attributes.get("TargetMode").is_some_and(|mode| mode == "External");
            let kind = attributes.get("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            let target = if outside { target } else { resolve(folder, &target) };
            relations.insert(id, Relation { kind, target });
        }
        Ok(())
    })?;
    Ok(relations)
}

/// A member's name; `..` never leaves the archive, where it would find nothing anyway.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.join("/")
}

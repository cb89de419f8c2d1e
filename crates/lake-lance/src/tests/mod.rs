mod contract;
mod deadline;
mod disk;
mod echoes;
mod fault;
mod filter;
mod json;
mod location;
mod model;
mod prune;
mod repair;
mod s3;
mod sketch;
mod sql;
mod upkeep;
mod vectors;
mod widths;
mod writer;
mod zones;

use std::{collections::BTreeSet, path::Path};

use mainspring_lake::{
    Lake, Table,
    conformance::{Case, spec},
};
use std::sync::Arc;

use crate::{LakeLocation, LanceConfig, LanceLake};

fn config(dir: &Path) -> LanceConfig {
    LanceConfig::new(LakeLocation::Local(dir.to_owned()))
}

async fn lake_in(dir: &Path) -> LanceLake {
    LanceLake::open(config(dir)).await.unwrap()
}

async fn table_in(lake: &LanceLake, name: &str) -> Arc<dyn Table> {
    lake.open(&name.parse().unwrap(), &spec()).await.unwrap()
}

/// Runs cases to the end and names those that failed; each failure is printed where it happened.
async fn failures(lake: &dyn Lake, cases: &[Case]) -> Vec<&'static str> {
    let mut failed = Vec::new();
    for case in cases {
        let outcome = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe((case.run)(lake))).await;
        if outcome.is_err() {
            failed.push(case.name);
        }
    }
    failed
}

/// The files that hold rows of a table, whether a version names them or not.
fn data_files(dir: &Path, table: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir.join(format!("{table}.lance/data"))).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

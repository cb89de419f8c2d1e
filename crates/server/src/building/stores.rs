//! The lake and the blobs beside it, opened as settings say.

use std::sync::Arc;

use mainspring_blobs::{Blobs, S3Location};
use mainspring_config::{Config, DurabilityConfig};
use mainspring_kernel::{Clock, Tasks};
use mainspring_lake::Lake;
use mainspring_lake_lance::{Durability, LakeLocation, LanceConfig, LanceLake};

use crate::{fault::BootFault, serves::Serves};

/// Blobs lie beside the lake: in its bucket, or in the data directory. Each room has a place of its own for them.
pub(super) fn open_blobs(config: &Config, lake: &LakeLocation, place: &str) -> Result<Blobs, BootFault> {
    let blobs = match lake {
        LakeLocation::Local(_) => Blobs::local(&config.data_dir().join(place)),
        LakeLocation::S3 { bucket, prefix, endpoint, region, access_key, secret_key, session_token, allow_http } => {
            Blobs::s3(&S3Location {
                bucket: bucket.clone(),
                prefix: if prefix.is_empty() { place.to_owned() } else { format!("{prefix}/{place}") },
                endpoint: endpoint.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                secret_key: secret_key.clone(),
                session_token: session_token.clone(),
                allow_http: *allow_http,
            })
        }
    };
    blobs.map_err(BootFault::part("blob store"))
}

pub(super) async fn open_lake(
    config: &Config,
    location: LakeLocation,
    (tasks, clock): (&Tasks, &Arc<dyn Clock>),
    serves: Serves,
) -> Result<(Arc<dyn Lake>, Vec<String>), BootFault> {
    // Of a lake that others share, a gateway touches nothing but its traces.
    let repairs = serves == Serves::Everything || matches!(location, LakeLocation::Local(_));
    let durability = durability(config);
    let lance = LanceConfig { durability, tasks: tasks.clone(), clock: Arc::clone(clock), ..LanceConfig::new(location) };
    let lance = if serves == Serves::Models { lance.for_adding() } else { lance };
    let lake = LanceLake::open(lance).await.map_err(BootFault::part("lake"))?;
    let mut repaired = Vec::new();
    if !repairs {
        return Ok((Arc::new(lake), repaired));
    }
    for repair in lake.repair().await.map_err(BootFault::part("lake"))? {
        let text = format!(
            "table `{}`: version {} was torn and was moved to {}; version {} is open now",
            repair.table, repair.bad_version, repair.moved_to, repair.opened_version
        );
        tracing::warn!("{text}");
        repaired.push(text);
    }
    Ok((Arc::new(lake), repaired))
}

pub(crate) const fn durability(config: &Config) -> Durability {
    match config.lake.durability {
        DurabilityConfig::Disk => Durability::Disk,
        DurabilityConfig::Process => Durability::Process,
    }
}

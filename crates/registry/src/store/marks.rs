//! What changes when assets do.

use mainspring_catalog::{CatalogFault, params};
use mainspring_kernel::{AssetKind, id::ProjectId};

use super::Reads;
use crate::model::Mark;

const MARKS: &str = "SELECT project, COUNT(*) AS assets, CAST(SUM(latest) AS BIGINT) AS versions, MAX(updated) AS updated \
    FROM asset WHERE kind = $1 GROUP BY project ORDER BY project LIMIT 100000";

pub(super) const STATEMENTS: &[&str] = &[MARKS];

impl Reads<'_> {
    pub(crate) async fn marks(&mut self, kind: AssetKind) -> Result<Vec<(ProjectId, Mark)>, CatalogFault> {
        let rows = self.query(MARKS, params![kind]).await?;
        rows.iter()
            .map(|row| {
                let mark = Mark { assets: row.int("assets")?, versions: row.int("versions")?, updated: row.time("updated")? };
                Ok((row.parse("project")?, mark))
            })
            .collect()
    }
}

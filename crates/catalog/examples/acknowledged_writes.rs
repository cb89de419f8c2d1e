//! Writes rows one transaction at a time and names each on standard output once it is acknowledged.
//! The catalog's tests kill this program and look for every row it named.
#![expect(clippy::print_stdout, reason = "the names are what the test reads")]

use std::io::Write as _;

use mainspring_catalog::{Catalog, CatalogFault, params};

const INSERT: &str = "INSERT INTO project (id, name, description, created) VALUES ($1, $1, '', $2)";

#[tokio::main]
async fn main() -> Result<(), CatalogFault> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(prefix)) = (arguments.next(), arguments.next()) else {
        return Err(CatalogFault::BadUrl { reason: "two arguments: an address and a prefix".to_owned() });
    };
    let catalog = Catalog::open(&url).await?;
    for number in 0_i64.. {
        let name = format!("{prefix}-{number}");
        let mut tx = catalog.begin().await?;
        tx.execute(INSERT, params![&name, number]).await?;
        tx.commit().await?;
        println!("{name}");
        if std::io::stdout().flush().is_err() {
            break;
        }
    }
    Ok(())
}

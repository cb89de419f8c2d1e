//! Full disks, damaged files, files of the future, and several processes at once.

use std::{fs, path::Path};

use mainspring_kernel::Fault;
use mainspring_testservers::disk::SmallDisk;
use tokio::task::JoinSet;

use super::{INSERT_PROJECT, insert_project, moment, project_names};
use crate::{Catalog, CatalogFault, params};

fn url(folder: &Path) -> String {
    format!("sqlite://{}/catalog.db", folder.display())
}

#[tokio::test]
async fn a_full_disk_is_a_fault_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    insert_project(&catalog, "before").await.unwrap();
    let pages = catalog.query("PRAGMA page_count", params![]).await.unwrap()[0].int("page_count").unwrap();
    // SQLite's own limit takes the same way through the code as the file system's refusal.
    limit_pages(&catalog, pages + 2).await;
    let mut full = None;
    for number in 0..1_000 {
        if let Err(fault) = insert_project(&catalog, &format!("n{number}-{}", "x".repeat(2_000))).await {
            full = Some((number, fault));
            break;
        }
    }
    let (written, fault) = full.expect("the limit was never met");
    assert_eq!(fault.code(), "catalog-disk-full", "{fault:?}");
    assert_eq!(project_names(&catalog).await.len(), written + 1);
    limit_pages(&catalog, 1_000_000).await;
    insert_project(&catalog, "after").await.unwrap();
    assert_eq!(project_names(&catalog).await.len(), written + 2);
}

#[tokio::test]
async fn what_was_deleted_is_in_no_file_after_a_scrub() {
    const RENAME: &str = "UPDATE project SET id = $2, name = $2 WHERE name = $1";
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    let secret = format!("zukamirel-{}", "x".repeat(9_000));
    insert_project(&catalog, &secret).await.unwrap();
    for number in 0..50 {
        insert_project(&catalog, &format!("n{number}")).await.unwrap();
    }
    let holding = || {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(9).any(|part| part == b"zukamirel")).count()
    };
    catalog.scrub().await.unwrap();
    assert_eq!(holding(), 1, "it is in the database");
    catalog.write(RENAME, params![secret.as_str(), "other"]).await.unwrap();
    assert!(holding() > 0, "the database file and the log are as they were");
    catalog.scrub().await.unwrap();
    assert_eq!(holding(), 0);
    assert_eq!(project_names(&catalog).await.len(), 51);
}

#[test]
fn a_file_system_that_fills_up_refuses_and_works_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(4 << 20) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let catalog = Catalog::open(&url(disk.path())).await.unwrap();
        insert_project(&catalog, "before").await.unwrap();
        disk.fill();
        // SQLite rolls back by itself here, which must not leave the writer as it was in the middle.
        let (mut written, mut refused) = (0, 0);
        for number in 0..400 {
            match insert_in_transaction(&catalog, &format!("n{number}-{}", "x".repeat(20_000))).await {
                Ok(()) => written += 1,
                Err(fault) => {
                    assert_eq!(fault.code(), "catalog-disk-full", "{fault:?}");
                    refused += 1;
                }
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!((refused, project_names(&catalog).await.len()), (3, written + 1));
        disk.free();
        insert_in_transaction(&catalog, "after").await.unwrap();
        assert_eq!(project_names(&catalog).await.len(), written + 2);
    });
}

async fn insert_in_transaction(catalog: &Catalog, name: &str) -> Result<(), CatalogFault> {
    catalog
        .transact::<(), CatalogFault, _>(|mut tx| async move {
            tx.execute(INSERT_PROJECT, params![name, name, moment()]).await?;
            Ok((tx, ()))
        })
        .await
}

async fn limit_pages(catalog: &Catalog, pages: i64) {
    let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(pragma).fetch_all(catalog.sqlite_writer().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("catalog.db"), "this is not a database, and long enough to be looked at".repeat(50)).unwrap();
    let fault = Catalog::open(&url(folder.path())).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-corrupt", "{fault:?}");
}

#[tokio::test]
async fn a_catalog_cut_short_is_a_fault_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    for number in 0..200 {
        insert_project(&catalog, &format!("n{number}-{}", "x".repeat(500))).await.unwrap();
    }
    catalog.close().await;
    let file = folder.path().join("catalog.db");
    let whole = fs::metadata(&file).unwrap().len();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(whole / 2 / 4096 * 4096).unwrap();
    let outcome = async {
        let catalog = Catalog::open(&url(folder.path())).await?;
        catalog.query("SELECT name, description FROM project ORDER BY description, name", params![]).await
    };
    let fault = outcome.await.unwrap_err();
    assert_eq!(fault.code(), "catalog-corrupt", "{fault:?}");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_a_fault() {
    let fault = Catalog::open("sqlite:///nowhere/at/all/catalog.db").await.unwrap_err();
    assert_eq!(fault.code(), "catalog-storage", "{fault:?}");
}

#[tokio::test]
async fn a_catalog_of_a_newer_version_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    let future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (9999, 'from the future', 1, x'00', 0)";
    catalog.write(future, params![]).await.unwrap();
    catalog.close().await;
    let fault = Catalog::open(&url(folder.path())).await.unwrap_err();
    assert_eq!(fault.code(), "catalog-newer", "{fault:?}");
    assert!(fault.to_string().contains("9999"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_may_make_the_same_catalog_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut openers = JoinSet::new();
    for number in 0..8 {
        let url = url(folder.path());
        // Each handle has connections of its own: to SQLite that is another process.
        openers.spawn(async move {
            let catalog = Catalog::open(&url).await.unwrap();
            insert_project(&catalog, &format!("n{number}")).await.unwrap();
            catalog.close().await;
        });
    }
    openers.join_all().await;
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    assert_eq!(project_names(&catalog).await.len(), 8);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_catalog() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(folder.path())).await.unwrap();
    insert_project(&catalog, "a").await.unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

//! Stamps one suite of cases, functions over a catalog, onto every engine it can run on.

/// `on_every_engine!(Catalog: [case_a, case_b]);` where each case is
/// `async fn case(catalog: Catalog)` in the calling module.
///
/// Each case becomes a test on an ephemeral SQLite database and one on a SQLite file. On PostgreSQL
/// all cases share one server, each with a schema of its own; the case under way is printed, so
/// that a failure names it.
#[macro_export]
macro_rules! on_every_engine {
    ($catalog:ty: [$($case:ident),* $(,)?]) => {
        mod in_memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let catalog = <$catalog>::open("sqlite::memory:").await.expect("a catalog in memory");
                $crate::boxed(|| super::$case(catalog)).await;
            })*
        }
        mod in_a_file {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let folder = $crate::temporary_folder();
                let url = format!("sqlite://{}/catalog.db", folder.path().display());
                let catalog = <$catalog>::open(&url).await.expect("a catalog in a file");
                $crate::boxed(|| super::$case(catalog)).await;
            })*
        }
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn every_case_holds_on_postgres() {
            let server = $crate::postgres::Postgres::start().unwrap_or_else(|fault| panic!("{fault}"));
            $({
                eprintln!("on postgres: {}", stringify!($case));
                let url = server.new_schema().unwrap_or_else(|fault| panic!("{fault}"));
                let catalog = <$catalog>::open(&url).await.expect("a catalog on PostgreSQL");
                $crate::boxed(|| $case(catalog.clone())).await;
                catalog.close().await;
            })*
        }
    };
}

//! The page is embedded from `web/dist`. A build without it is allowed and says so when asked for the page.

fn main() {
    let dist = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    if let Err(error) = std::fs::create_dir_all(&dist) {
        println!("cargo::warning=cannot make {}: {error}", dist.display());
    }
    println!("cargo::rerun-if-changed={}", dist.display());
    // A page that was added is embedded too.
    println!("cargo::rerun-if-changed=../../docs/errors");
}

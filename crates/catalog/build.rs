//! Migrations are compiled in; without this line cargo would not notice a new file among them.
#![expect(clippy::print_stdout, reason = "a build script speaks to cargo on standard output")]

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}

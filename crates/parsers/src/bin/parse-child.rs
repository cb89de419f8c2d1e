//! The child side alone, for this crate's tests; the product's binary runs it as `mainspring __parse`.

fn main() -> std::process::ExitCode {
    mainspring_parsers::child_main()
}

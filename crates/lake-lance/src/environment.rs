//! What Lance takes from the environment only.

/// Under a filter that leaves no more than this share of the rows, a search for words scores each of them; above, it walks
/// the words' lists and skips what cannot win. Lance's own ten percent is far too many: the walk takes a third of the time
/// at ten, and at two both take the same.
const ENVIRONMENT: [(&str, &str); 1] = [("LANCE_FLAT_SEARCH_PERCENT_THRESHOLD", "2")];

/// Sets what is not set already. Call it first in `main`: the environment may change only while no other thread
/// could read it, so with threads running this does nothing.
pub fn prepare_environment() {
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    for (name, value) in ENVIRONMENT {
        if alone && std::env::var_os(name).is_none() {
            #[expect(unsafe_code, reason = "no other thread runs that could read the environment meanwhile")]
            // SAFETY: the process has one thread, and it is in this function.
            unsafe {
                std::env::set_var(name, value);
            }
        }
    }
}

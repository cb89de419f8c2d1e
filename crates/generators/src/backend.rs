//! llama.cpp's one-time start, and its log: lines go to tracing at debug, never to stderr.

use std::{
    ffi::{CStr, c_char, c_void},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use llama_cpp_2::llama_backend::LlamaBackend;

#[derive(Debug, Default)]
struct Log {
    /// A line whose end has not come yet.
    open: String,
    /// Why the last thing failed; loading gives no other reason.
    error: Option<String>,
}

fn log() -> MutexGuard<'static, Log> {
    static LOG: Mutex<Log> = Mutex::new(Log { open: String::new(), error: None });
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(unsafe_code, reason = "the signature is C's, and the text arrives as a C string")]
unsafe extern "C" fn on_log(level: llama_cpp_sys_2::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp calls this with a string that ends in a zero byte and lives for the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut log = log();
    log.open.push_str(&text);
    while let Some(end) = log.open.find('\n') {
        let line: String = log.open.drain(..=end).collect();
        let line = line.trim_end();
        if !line.is_empty() {
            tracing::debug!(target: "llama.cpp", "{line}");
        }
        if level == llama_cpp_sys_2::GGML_LOG_LEVEL_ERROR {
            log.error = Some(line.to_owned());
        }
    }
}

/// Starts llama.cpp once for the process. It is never stopped: models may outlive their owners by a
/// moment, and freeing the backend under them would be an error.
pub(crate) fn backend() -> Result<&'static LlamaBackend, String> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let started = BACKEND.get_or_init(|| {
        silence();
        LlamaBackend::init().map_err(|fault| fault.to_string())
    });
    started.as_ref().map_err(Clone::clone)
}

#[expect(unsafe_code, reason = "the safe wrapper logs at info; this goes to debug")]
fn silence() {
    // SAFETY: the callback is a plain function that lives as long as the process and needs no data.
    unsafe {
        llama_cpp_sys_2::llama_log_set(Some(on_log), std::ptr::null_mut());
        llama_cpp_sys_2::ggml_log_set(Some(on_log), std::ptr::null_mut());
    }
}

/// The last error line, if there was one since the last call.
pub(crate) fn last_error() -> Option<String> {
    log().error.take()
}

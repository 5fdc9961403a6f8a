//! Exports wasmtime's C API, which is all `#[no_mangle]` functions of the crate below.
pub use wasmtime_c_api::*;

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| broadside_fuzz::cells(data));

//! A client's bytes as WebSocket frames: each ends in frames that are no longer than they may be, or in a close code.
#![no_main]

use broadside_server::net::frames::FrameReader;
use broadside_shared::protocol::limits::CLIENT_FRAME_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (Vec<u8>, Vec<u8>)| {
    let mut reader = FrameReader::new(&parts.0);
    let mut source = parts.1.as_slice();
    loop {
        match reader.take_frame() {
            Ok(Some(_)) => assert!(reader.payload().len() <= CLIENT_FRAME_MAX),
            Ok(None) => match reader.read_from(&mut source) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            Err(_) => return,
        }
    }
});

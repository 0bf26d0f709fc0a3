//! Control messages, updates and input packets: any bytes give a value or an error, and a value comes back as it was.
#![no_main]

use broadside_shared::arena::ArenaInput;
use broadside_shared::protocol::codec;
use broadside_shared::protocol::input::InputPacket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(msg) = codec::decode_client(bytes) {
        assert_eq!(codec::decode_client(&codec::encode_client(&msg)[1..]), Ok(msg));
    }
    if let Ok(msg) = codec::decode_server(bytes) {
        assert_eq!(codec::decode_server(&codec::encode_server(&msg)[1..]), Ok(msg));
    }
    if let Ok((note, used)) = codec::decode_update(bytes) {
        assert!(used <= bytes.len());
        let mut again = Vec::new();
        codec::encode_update(&note, &mut again);
        assert_eq!(codec::decode_update(&again), Ok((note, again.len())));
    }
    if let Ok(packet) = InputPacket::<ArenaInput>::decode(bytes) {
        assert_eq!(InputPacket::decode(&packet.encode()[1..]), Ok(packet));
    }
});

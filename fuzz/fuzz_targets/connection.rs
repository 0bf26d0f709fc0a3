//! Frames at a connection, in any state: each ends in an output or a close, and nothing follows a close.
#![no_main]

use broadside_core::connection::protocol::{ConnectionProtocol, ProtocolOutput};
use broadside_shared::arena::Arena;
use broadside_shared::ids::{PlayerId, RoomId};
use broadside_shared::protocol::message::{Outcome, ServerMsg};
use broadside_shared::protocol::room::{Mode, Role};
use broadside_shared::protocol::token::Token;
use broadside_shared::time::MonoTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut connection = ConnectionProtocol::<Arena>::new(MonoTime(0));
    let mut closed = false;
    for (step, frame) in frames.iter().enumerate() {
        connection.handle_frame(MonoTime(step as u64 * 1000), frame);
        while let Some(output) = connection.poll_output() {
            assert!(!closed, "nothing follows a close");
            match output {
                ProtocolOutput::Hello(resume) => {
                    let token = resume.map_or(Token { connection: 1, signature: [0; 16] }, |resume| resume.token);
                    connection.handle_welcome(token, None);
                }
                ProtocolOutput::Request(id, _) => connection.handle_outcome(id, Outcome::Done),
                ProtocolOutput::Join(..) => connection.handle_seated(&ServerMsg::Joined {
                    room: RoomId(1),
                    player: PlayerId(0),
                    tick_hz: 60,
                    snapshot_every: 2,
                    tick_zero: MonoTime(0),
                    mode: Mode::Open,
                    role: Role::Play,
                }),
                ProtocolOutput::Close(_) => closed = true,
                ProtocolOutput::Send(_) | ProtocolOutput::Ping | ProtocolOutput::Input(_) => {}
            }
        }
    }
});

//! Frames at a session, in any state: each ends in an output or a close, and nothing follows a close.
#![no_main]

use broadside_server::session::{Session, SessionOutput};
use broadside_shared::arena::Arena;
use broadside_shared::game::PlayerId;
use broadside_shared::protocol::message::{RoomId, ServerMsg};
use broadside_shared::time::MonoTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut session = Session::<Arena>::new(MonoTime(0));
    let mut closed = false;
    for (step, frame) in frames.iter().enumerate() {
        session.handle_frame(MonoTime(step as u64 * 1000), frame);
        while let Some(output) = session.poll_output() {
            assert!(!closed, "nothing follows a close");
            match output {
                SessionOutput::Join(_) => session.handle_seated(&ServerMsg::Joined {
                    room: RoomId(1),
                    player: PlayerId(0),
                    tick_hz: 60,
                    snapshot_every: 2,
                    tick_zero: MonoTime(0),
                }),
                SessionOutput::Close(_) => closed = true,
                SessionOutput::Send(_) | SessionOutput::Ping | SessionOutput::Input(_) => {}
            }
        }
    }
});

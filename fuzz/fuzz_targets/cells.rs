//! The cells section, several in a row on one replica: any bytes give records or an error.
#![no_main]

use broadside_shared::arena::Arena;
use broadside_shared::game::Game;
use broadside_shared::replication::bits::BitReader;
use broadside_shared::replication::replica::Replica;
use broadside_shared::time::Tick;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut replica = Replica::default();
    let mut bits = BitReader::new(bytes);
    for tick in (1000..1064).step_by(3) {
        if replica.apply(Arena::KINDS, Tick(tick), &mut bits).is_err() {
            return;
        }
        let mut context = <Arena as Game>::PredictionContext::default();
        Arena::prediction_context(replica.records(), &mut context);
    }
});

//! How play feels over a link: matches of AI players in virtual time, measured at every client.

#[path = "feel/measure.rs"]
mod measure;

use broadside_puck::rules::PUCK;
use broadside_shared::game::CorrectionCause;
use broadside_shared::link::LinkProfile;
use measure::{COLUMNS, Feel};

#[test]
fn playable_links_feel_as_promised() {
    for name in ["cable", "lte", "far"] {
        let profile = LinkProfile::named(name).expect("a known link profile");
        let feel = Feel::measure(&profile, 20.0, 5);
        let what = format!("{name}: {COLUMNS}: {feel}");
        assert!(feel.others_rms() < 1.5, "{what}");
        assert!(feel.puck_rms() < PUCK / 2.0, "{what}");
        assert!(feel.near_rms() < feel.near_unpredicted_rms() / 2.0, "{what}");
        assert!(feel.per_minute(CorrectionCause::UNKNOWN) == 0.0, "every correction has a cause: {what}");
    }
}

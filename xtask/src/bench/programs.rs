//! The programs that are measured.

use anyhow::Result;

use crate::process::run;
use crate::workspace::cargo;

/// Builds them as people build them for use, in one call, so that nothing is built twice.
pub(super) fn build() -> Result<()> {
    run(&mut cargo(
        "build --release --package broadside-server --package broadside-bots --bins --example ledger \
         --example cost --example idle",
    ))
}

//! The nodes of the cluster, as this one sees them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::uncached;
use crate::app::App;

/// A node of the cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeView {
    /// Its number.
    node: u16,
    /// Where players reach it.
    url: String,
    region: String,
    /// Version of its program.
    version: String,
    /// Number of open rooms.
    rooms: u32,
    /// Players in all rooms, bots aside.
    players: u32,
    /// Whether it lets nobody in any more.
    draining: bool,
    /// Whether it has announced itself lately; the rooms of one that has not are hidden.
    there: bool,
    /// Milliseconds since it last announced itself; 0 for the node that answers.
    silent_ms: u64,
}

/// Lists the nodes of the cluster in order of number, this one included; none if the server is alone.
#[utoipa::path(get, path = "/api/nodes", responses((status = 200, description = "The nodes", body = [NodeView])))]
pub(crate) async fn nodes(State(app): State<Arc<App>>) -> Response {
    let Some(peers) = &app.lobby.peers else { return uncached(Json(Vec::<NodeView>::new())) };
    let now = app.lobby.context.clock.now();
    let rooms = app.rooms.all();
    let here = NodeView {
        node: peers.node,
        url: peers.url.clone(),
        region: app.config.region.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rooms: u32::try_from(rooms.len()).unwrap_or(u32::MAX),
        players: rooms.iter().map(|room| app.rooms.fill(room).taken).sum(),
        draining: app.rooms.is_draining(),
        there: true,
        silent_ms: 0,
    };
    let view = peers.view();
    let others = view.all_nodes(now).map(|(known, there)| NodeView {
        node: known.record.node,
        url: known.record.url.clone(),
        region: known.record.region.clone(),
        version: known.record.version.clone(),
        rooms: known.record.rooms,
        players: known.record.players,
        draining: known.record.draining,
        there,
        silent_ms: now.us_since(known.heard_at) / 1000,
    });
    let mut all: Vec<NodeView> = others.chain([here]).collect();
    all.sort_by_key(|node| node.node);
    uncached(Json(all))
}

//! What a client must know of the game to play it: kinds and fields, modes, and the layout of every message.

mod shape;

use std::sync::Arc;

use axum::extract::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use broadside_shared::game::{CorrectionCause, Game};
use broadside_shared::protocol::close::{CloseCode, Retry};
use broadside_shared::protocol::input::GameInput;
use broadside_shared::protocol::limits::{
    CLIENT_FRAME_MAX, GAME_REQUEST_MAX, INPUT_AHEAD_MAX, LAG_MAX, RESUMED_CELLS_MAX, ROOM_STATE_MAX, SAMPLES_MAX,
    SERVER_FRAME_MAX, SILENCE_US,
};
use broadside_shared::protocol::message::{ClientMsg, RoomUpdate, ServerMsg};
use broadside_shared::protocol::{REVISION, SUBPROTOCOL};
use broadside_shared::replication::cells::{CellId, POSITION_STEP};
use broadside_shared::replication::fields::{FieldRole, FieldSpec, KindSpec, Motion, VELOCITY_TICKS};
use broadside_shared::replication::layout::Layout;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::store::StoredFile;
use crate::config::Config;

/// What a client must know of the game to play it. docs/PROTOCOL.md explains how to use it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schema {
    /// Name of the game.
    game: &'static str,
    /// The WebSocket subprotocol.
    subprotocol: &'static str,
    /// The revision of the protocol, for the hello.
    revision: u16,
    /// Ticks per second.
    tick_hz: u32,
    /// Ticks from one snapshot to the next.
    snapshot_every: u32,
    /// Width and height of the area of interest, in world units.
    view: [f32; 2],
    /// Whether clients predict their own player.
    predicts: bool,
    /// The cells of the world.
    cells: Cells,
    /// The modes, in the order of their numbers.
    modes: Vec<Mode>,
    /// The replicated kinds, in the order of their numbers.
    kinds: Vec<Kind>,
    /// The input of one tick.
    input: Encoded,
    /// The exact private state of the own player.
    player_state: Encoded,
    /// An event, without its age.
    event: Encoded,
    /// The body of a request of the game.
    request: Encoded,
    /// The game's state of a room.
    room_state: Encoded,
    /// Why the game refuses requests, in the order of the reasons.
    refusals: &'static [&'static str],
    /// Causes of corrections.
    correction_causes: Vec<&'static str>,
    /// The engine's messages, without the kind of their frame.
    messages: Messages,
    /// Why a server ends a connection.
    close_codes: Vec<Close>,
    /// Limits.
    limits: Limits,
}

/// The cells of the world: in each layer a square of columns and rows around the origin.
#[derive(Debug, Serialize, ToSchema)]
struct Cells {
    /// Cells in a row, and rows of a layer.
    columns: usize,
    /// Number of layers.
    layers: u8,
    /// Width and height of a cell in position steps.
    steps: u32,
    /// World units in a position step.
    step: f32,
    /// Bits of a moving entity's position relative to its cell.
    local_bits: u32,
    /// How far outside its cell such a position may be, in position steps.
    margin: u32,
    /// Order of the code of a still entity's position, relative to the middle of its cell.
    still_k: u32,
    /// Ticks in which a velocity of 1 moves an entity by one position step.
    velocity_ticks: i32,
}

/// A mode.
#[derive(Debug, Serialize, ToSchema)]
struct Mode {
    /// The name in addresses and JSON.
    name: &'static str,
    /// The name that players read.
    title: &'static str,
    /// What is played, in one sentence.
    summary: &'static str,
    /// Most players in a room of this server.
    seats: u16,
    /// Number of teams; 0 where everyone plays alone.
    teams: u8,
    /// Whether matches are rated.
    rated: bool,
}

/// A replicated kind of entity.
#[derive(Debug, Serialize, ToSchema)]
struct Kind {
    /// Its name.
    name: &'static str,
    /// Whether its entities move; the others never change.
    moves: bool,
    /// Its fields, in the order of the wire.
    fields: Vec<Field>,
}

/// A field of a kind.
#[derive(Debug, Serialize, ToSchema)]
struct Field {
    /// Its name.
    name: &'static str,
    /// x, y, velocity, angle, plain, signed, or start: the tick at which the entity started.
    role: &'static str,
    /// Bits of its number.
    bits: u8,
    /// Lowest number.
    lowest: i64,
    /// Highest number.
    highest: i64,
    /// What the number is multiplied by to get the quantity.
    step: f32,
    /// Order of the code of its changes.
    k: u8,
}

/// How a value is encoded.
#[derive(Debug, Serialize, ToSchema)]
struct Encoded {
    /// bytes: as control messages are; bits: as a stream of bits.
    encoding: &'static str,
    /// The layout; null if the server cannot tell, which it logs when it starts.
    layout: Value,
}

/// The engine's messages.
#[derive(Debug, Serialize, ToSchema)]
struct Messages {
    /// From a client.
    client: Encoded,
    /// From a server.
    server: Encoded,
    /// A room update in a snapshot.
    update: Encoded,
}

/// Why a server ends a connection.
#[derive(Debug, Serialize, ToSchema)]
struct Close {
    /// The number in the close frame.
    code: u16,
    /// The reason in it, for developers.
    reason: &'static str,
    /// What to tell a person.
    advice: &'static str,
    /// Whether to connect again without being asked.
    reconnect: bool,
}

/// Limits.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    /// Longest frame from a client, in bytes.
    client_frame_bytes: usize,
    /// Longest frame from a server, in bytes.
    server_frame_bytes: usize,
    /// Most samples in an input packet.
    samples: usize,
    /// How far ahead an input may be, in ticks.
    input_ahead_ticks: u32,
    /// Largest lag of an input packet, in sixteenths of a tick.
    lag: u32,
    /// Most cells of a resuming client.
    resumed_cells: usize,
    /// Longest request of the game, in bytes.
    game_request_bytes: usize,
    /// Longest state of a room, in bytes.
    room_state_bytes: usize,
    /// Silence after which the other end counts as gone, in milliseconds.
    silence_ms: u64,
}

/// The schema of this server, made once.
#[derive(Debug)]
pub(crate) struct SchemaFile(StoredFile);

impl SchemaFile {
    pub(crate) fn new<G: Game>(config: &Config) -> SchemaFile {
        let json = serde_json::to_vec(&Schema::of::<G>(config)).expect("a schema always serializes");
        SchemaFile(StoredFile::new(json.into()))
    }
}

/// Shows what a client must know of the game to play it: kinds and fields, modes, and the layout of every message.
#[utoipa::path(get, path = "/api/schema", responses((status = 200, body = Schema)))]
pub(crate) async fn schema(headers: HeaderMap, Extension(file): Extension<Arc<SchemaFile>>) -> Response {
    let mut response = file.0.response(&headers, &[]);
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

impl Schema {
    fn of<G: Game>(config: &Config) -> Schema {
        let mode = |spec: &broadside_shared::game::ModeSpec| Mode {
            name: spec.name,
            title: spec.title,
            summary: spec.summary,
            seats: spec.seats_max.min(config.capacity),
            teams: spec.teams,
            rated: spec.rated,
        };
        Schema {
            game: G::NAME,
            subprotocol: SUBPROTOCOL,
            revision: REVISION,
            tick_hz: G::TICK_HZ,
            snapshot_every: config.snapshot_every.unwrap_or(G::SNAPSHOT_EVERY),
            view: G::VIEW.to_array(),
            predicts: G::PREDICTS,
            cells: Cells {
                columns: CellId::ROWS,
                layers: G::LAYERS,
                steps: CellId::STEPS,
                step: POSITION_STEP * (G::CELL / CellId::SIZE),
                local_bits: CellId::LOCAL_BITS,
                margin: CellId::MARGIN,
                still_k: FieldSpec::STILL_K,
                velocity_ticks: VELOCITY_TICKS,
            },
            modes: G::MODES.iter().map(mode).collect(),
            kinds: G::KINDS.iter().map(Kind::of).collect(),
            input: Encoded::of_bits::<()>("input", &G::Input::LAYOUT),
            player_state: Encoded::of_bits::<G::LocalPlayerState>("player state", &G::PLAYER_STATE_LAYOUT),
            event: Encoded::of_bits::<G::Event>("event", &G::EVENT_LAYOUT),
            request: Encoded::of_bytes::<G::Request>("request"),
            room_state: Encoded::of_bytes::<G::RoomState>("room state"),
            refusals: G::REFUSALS,
            correction_causes: CorrectionCause::all::<G>().map(|cause| cause.name::<G>()).collect(),
            messages: Messages {
                client: Encoded::of_bytes::<ClientMsg>("client message"),
                server: Encoded::of_bytes::<ServerMsg>("server message"),
                update: Encoded::of_bytes::<RoomUpdate>("room update"),
            },
            close_codes: CloseCode::ALL.into_iter().map(Close::of).collect(),
            limits: Limits {
                client_frame_bytes: CLIENT_FRAME_MAX,
                server_frame_bytes: SERVER_FRAME_MAX,
                samples: SAMPLES_MAX,
                input_ahead_ticks: INPUT_AHEAD_MAX,
                lag: LAG_MAX,
                resumed_cells: RESUMED_CELLS_MAX,
                game_request_bytes: GAME_REQUEST_MAX,
                room_state_bytes: ROOM_STATE_MAX,
                silence_ms: SILENCE_US / 1000,
            },
        }
    }
}

impl Kind {
    fn of(spec: &KindSpec) -> Kind {
        Kind {
            name: spec.name,
            moves: spec.motion == Motion::Moving,
            fields: spec.fields.iter().map(Field::of).collect(),
        }
    }
}

impl Field {
    fn of(spec: &FieldSpec) -> Field {
        let role = match spec.role {
            FieldRole::X => "x",
            FieldRole::Y => "y",
            FieldRole::Velocity => "velocity",
            FieldRole::Angle => "angle",
            FieldRole::Plain => "plain",
            FieldRole::Signed => "signed",
            FieldRole::Start => "start",
        };
        let (lowest, highest) = spec.range();
        Field { name: spec.name, role, bits: spec.bits, lowest, highest, step: spec.step, k: spec.k }
    }
}

impl Close {
    fn of(code: CloseCode) -> Close {
        let reconnect = code.retry() == Retry::Automatic;
        Close { code: code.code(), reason: code.reason(), advice: code.advice(), reconnect }
    }
}

impl Encoded {
    /// A value in a stream of bits: laid out by hand, or by the codec as a `T`.
    fn of_bits<T: DeserializeOwned>(what: &str, layout: &Layout) -> Encoded {
        match layout {
            Layout::Codec => Encoded::of_bytes::<T>(what),
            layout => Encoded { encoding: "bits", layout: layout_json(layout) },
        }
    }

    fn of_bytes<T: DeserializeOwned>(what: &str) -> Encoded {
        let layout = shape::of::<T>().unwrap_or_else(|why| {
            tracing::warn!(%why, "the schema cannot describe the {what}: clients in other languages cannot read it");
            Value::Null
        });
        Encoded { encoding: "bytes", layout }
    }
}

fn layout_json(layout: &Layout) -> Value {
    let named = |parts: &[(&str, Layout)]| -> Value {
        parts.iter().map(|(name, layout)| json!({ "name": name, "layout": layout_json(layout) })).collect()
    };
    match layout {
        // As a part of other bits, a type cannot be told: a game describes all of a value or nothing.
        Layout::Codec => Value::Null,
        Layout::Bits(bits) => json!({ "bits": bits }),
        Layout::Scaled { bits, lowest, step } => json!({ "bits": bits, "lowest": lowest, "step": step }),
        Layout::Flag => json!("bool"),
        Layout::F32 => json!("f32"),
        Layout::Golomb(k) => json!({ "golomb": k }),
        Layout::Signed(k) => json!({ "signed": k }),
        Layout::Option(of) => json!({ "option": layout_json(of) }),
        Layout::List { k, of } => json!({ "list": layout_json(of), "k": k }),
        Layout::Fields([]) => json!("unit"),
        Layout::Fields(fields) => json!({ "struct": named(fields) }),
        Layout::Choice { bits, variants } => json!({ "enum": named(variants), "bits": bits }),
    }
}

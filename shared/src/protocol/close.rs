//! Close codes: why a connection ended, and what the player should do about it.

/// Why a server closed a connection. 1000 to 1015 are WebSocket's own (RFC 6455, section 7.4.1, and IANA's registry), 4000 and up are
/// Broadside's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The client left.
    Normal = 1000,
    /// The server shuts down; a new connection succeeds in a moment.
    GoingAway = 1001,
    /// A frame violates the WebSocket protocol, such as one that is not masked.
    Broken = 1002,
    /// A text frame arrived; frames are binary.
    Unsupported = 1003,
    /// A frame exceeds the length limit.
    TooBig = 1009,
    /// Another server takes over: the seat is kept, and a new connection succeeds at once.
    Restarting = 1012,
    /// The hello names another protocol revision.
    WrongRevision = 4001,
    /// A frame is not a message, or the message is not allowed in this state.
    Malformed = 4002,
    /// No hello or join arrived in time.
    GreetingTimeout = 4003,
    /// Too many frames or bytes arrived in a short time, or one message in too many fragments.
    TooManyFrames = 4004,
    /// No byte arrived for too long.
    Silent = 4005,
    /// The room and its join queue are full, or there is no room and none can be opened.
    RoomFull = 4006,
    /// The room ended because of a bug in the server.
    RoomFailed = 4007,
    /// The server has reached its connection limit.
    ServerFull = 4008,
    /// The client read nothing for so long that its buffer filled with messages that must not be dropped.
    TooSlow = 4009,
    /// The requested room does not exist.
    NoSuchRoom = 4010,
    /// Another connection took over the seat.
    TakenOver = 4011,
    /// An address has reached its limit of connections or seats, or requests too fast.
    TooManyFromAddress = 4012,
    /// The origin of the page is not allowed to connect to this server.
    WrongOrigin = 4013,
    /// The account is banned.
    Banned = 4014,
    /// A moderator removed the player.
    Kicked = 4015,
}

/// Whether a client should reconnect automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, after a pause.
    Automatic,
    /// No: the cause remains until a person acts.
    Manual,
}

impl CloseCode {
    /// Every code, for docs and tests.
    pub const ALL: [CloseCode; 21] = [
        CloseCode::Normal,
        CloseCode::GoingAway,
        CloseCode::Broken,
        CloseCode::Unsupported,
        CloseCode::TooBig,
        CloseCode::Restarting,
        CloseCode::WrongRevision,
        CloseCode::Malformed,
        CloseCode::GreetingTimeout,
        CloseCode::TooManyFrames,
        CloseCode::Silent,
        CloseCode::RoomFull,
        CloseCode::RoomFailed,
        CloseCode::ServerFull,
        CloseCode::TooSlow,
        CloseCode::NoSuchRoom,
        CloseCode::TakenOver,
        CloseCode::TooManyFromAddress,
        CloseCode::WrongOrigin,
        CloseCode::Banned,
        CloseCode::Kicked,
    ];

    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The code with this number, if there is one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<CloseCode> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }

    /// The reason in the close frame, for developers: lower case, at most 123 bytes as RFC 6455 demands.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            CloseCode::Normal => "bye",
            CloseCode::GoingAway => "server is shutting down",
            CloseCode::Broken => "broken WebSocket frame",
            CloseCode::Unsupported => "frames must be binary",
            CloseCode::TooBig => "frame too long",
            CloseCode::Restarting => "server restarts: connect again at once",
            CloseCode::WrongRevision => "wrong protocol revision",
            CloseCode::Malformed => "malformed or out of place message",
            CloseCode::GreetingTimeout => "no hello in time",
            CloseCode::TooManyFrames => "too many frames or bytes",
            CloseCode::Silent => "nothing received for too long",
            CloseCode::RoomFull => "room is full",
            CloseCode::RoomFailed => "room failed",
            CloseCode::ServerFull => "server is full",
            CloseCode::TooSlow => "client reads too slowly",
            CloseCode::NoSuchRoom => "no such room",
            CloseCode::TakenOver => "taken over by another connection",
            CloseCode::TooManyFromAddress => "too many from this address",
            CloseCode::WrongOrigin => {
                "pages of this origin may not connect; the server's log names the flag that allows it"
            }
            CloseCode::Banned => "account is banned",
            CloseCode::Kicked => "removed by a moderator",
        }
    }

    /// A sentence for the player: what happened and what to do.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            CloseCode::Normal => "You left the game.",
            CloseCode::GoingAway | CloseCode::Restarting => "The server is restarting. You will be back in a moment.",
            CloseCode::Broken | CloseCode::Unsupported | CloseCode::TooBig | CloseCode::Malformed => {
                "This page and the server misunderstood each other. Reload the page."
            }
            CloseCode::WrongRevision => {
                "The server runs a newer or older version. Reload the page to get the right one."
            }
            CloseCode::GreetingTimeout => "Joining took too long.",
            CloseCode::TooManyFrames => "This page sent too much at once.",
            CloseCode::Silent | CloseCode::TooSlow => "Your connection went silent.",
            CloseCode::RoomFull => "The room and its queue are full. Try again in a minute.",
            CloseCode::RoomFailed => "The room failed and restarts.",
            CloseCode::ServerFull => "The server is full. Try again in a minute.",
            CloseCode::NoSuchRoom => "That room no longer exists. Play in another one.",
            CloseCode::TakenOver => "You are playing in another tab or window.",
            CloseCode::TooManyFromAddress => {
                "Too many connections come from your address. Close other tabs, or try again in a minute."
            }
            CloseCode::WrongOrigin => {
                "This server takes no connections from the address of this page. Open the game at the server's own \
                 address, or ask who runs it to allow this one."
            }
            CloseCode::Banned => "This account is banned. Your account page says until when, and why.",
            CloseCode::Kicked => "A moderator removed you from the game.",
        }
    }

    /// Whether a client should reconnect automatically.
    #[must_use]
    pub fn retry(self) -> Retry {
        match self {
            CloseCode::Normal
            | CloseCode::Broken
            | CloseCode::Unsupported
            | CloseCode::TooBig
            | CloseCode::WrongRevision
            | CloseCode::Malformed
            | CloseCode::NoSuchRoom
            | CloseCode::TakenOver
            | CloseCode::WrongOrigin
            | CloseCode::Banned
            | CloseCode::Kicked => Retry::Manual,
            CloseCode::GoingAway
            | CloseCode::Restarting
            | CloseCode::GreetingTimeout
            | CloseCode::TooManyFrames
            | CloseCode::Silent
            | CloseCode::RoomFull
            | CloseCode::RoomFailed
            | CloseCode::ServerFull
            | CloseCode::TooManyFromAddress
            | CloseCode::TooSlow => Retry::Automatic,
        }
    }
}

//! Close codes: why a connection ended, and what a person should do about it.

/// Why a server closed a connection. 1000 to 1015 are WebSocket's own (RFC 6455, section 7.4.1), 4000 and up are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The client said it was leaving.
    Normal = 1000,
    /// The server is shutting down; try again in a moment.
    GoingAway = 1001,
    /// A frame arrived that breaks the rules of WebSocket itself, such as one that is not masked.
    Broken = 1002,
    /// Text arrived where frames are binary.
    Unsupported = 1003,
    /// A frame longer than the limit arrived.
    TooBig = 1009,
    /// The hello names another revision of the protocol.
    WrongRevision = 4001,
    /// Bytes arrived that are no message, or a message that has no place in this state.
    Malformed = 4002,
    /// No hello or join came in time.
    GreetingTimeout = 4003,
    /// Too many frames or bytes arrived in a short time, or one message came in too many fragments.
    TooManyFrames = 4004,
    /// Nothing was heard for too long.
    Silent = 4005,
    /// The room and its line are full, or there is no room and none can be opened.
    RoomFull = 4006,
    /// The room ended because of a fault of ours.
    RoomFailed = 4007,
    /// The server holds as many connections as it may.
    ServerFull = 4008,
    /// The client took nothing for so long that its buffer was full of what must not be dropped.
    TooSlow = 4009,
    /// The room that was asked for is not there.
    NoSuchRoom = 4010,
    /// Another connection took up this one's seat.
    TakenOver = 4011,
    /// One address holds as much as one address may, or asks too fast.
    TooManyFromAddress = 4012,
    /// The page that opens the WebSocket is not one that may connect to this server.
    WrongOrigin = 4013,
}

/// Whether it makes sense for a client to connect again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, after a pause.
    ByItself,
    /// No: only a person can change what stands in the way.
    ByHand,
}

impl CloseCode {
    /// Every code, for docs and tests.
    pub const ALL: [CloseCode; 18] = [
        CloseCode::Normal,
        CloseCode::GoingAway,
        CloseCode::Broken,
        CloseCode::Unsupported,
        CloseCode::TooBig,
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
    ];

    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The code with this number, if it is one of these.
    #[must_use]
    pub fn from_code(code: u16) -> Option<CloseCode> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }

    /// The reason sent along, for developers: lower case, at most 123 bytes as RFC 6455 demands.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            CloseCode::Normal => "bye",
            CloseCode::GoingAway => "server is shutting down",
            CloseCode::Broken => "broken WebSocket frame",
            CloseCode::Unsupported => "frames must be binary",
            CloseCode::TooBig => "frame too long",
            CloseCode::WrongRevision => "wrong protocol revision",
            CloseCode::Malformed => "malformed or out of place message",
            CloseCode::GreetingTimeout => "no hello in time",
            CloseCode::TooManyFrames => "too many frames or bytes",
            CloseCode::Silent => "nothing heard for too long",
            CloseCode::RoomFull => "room is full",
            CloseCode::RoomFailed => "room failed",
            CloseCode::ServerFull => "server is full",
            CloseCode::TooSlow => "took nothing for too long",
            CloseCode::NoSuchRoom => "no such room",
            CloseCode::TakenOver => "taken over by another connection",
            CloseCode::TooManyFromAddress => "too many from this address",
            CloseCode::WrongOrigin => {
                "pages of this origin may not connect; the server's log names the flag that allows it"
            }
        }
    }

    /// A sentence for the player: what happened and what to do.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            CloseCode::Normal => "You left the game.",
            CloseCode::GoingAway => "The server is restarting. You will be back in a moment.",
            CloseCode::Broken | CloseCode::Unsupported | CloseCode::TooBig | CloseCode::Malformed => {
                "This page and the server misunderstood each other. Reload the page."
            }
            CloseCode::WrongRevision => {
                "The server runs a newer or older version. Reload the page to get the right one."
            }
            CloseCode::GreetingTimeout => "Joining took too long.",
            CloseCode::TooManyFrames => "This page sent too much at once.",
            CloseCode::Silent | CloseCode::TooSlow => "Your connection went silent.",
            CloseCode::RoomFull => "There is no place, not even in line. Try again in a minute.",
            CloseCode::RoomFailed => "The arena broke down and starts anew.",
            CloseCode::ServerFull => "The server is full. Try again in a minute.",
            CloseCode::NoSuchRoom => "That room is not there any more. Play in another one.",
            CloseCode::TakenOver => "You play on in another tab or window.",
            CloseCode::TooManyFromAddress => {
                "Too many connections come from your address. Close other tabs, or try again in a minute."
            }
            CloseCode::WrongOrigin => {
                "This server takes no connections from the address of this page. Open the game at the server's own \
                 address, or ask who runs it to allow this one."
            }
        }
    }

    /// Whether a client should come back by itself.
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
            | CloseCode::WrongOrigin => Retry::ByHand,
            CloseCode::GoingAway
            | CloseCode::GreetingTimeout
            | CloseCode::TooManyFrames
            | CloseCode::Silent
            | CloseCode::RoomFull
            | CloseCode::RoomFailed
            | CloseCode::ServerFull
            | CloseCode::TooManyFromAddress
            | CloseCode::TooSlow => Retry::ByItself,
        }
    }
}

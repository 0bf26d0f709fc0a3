//! The WebSocket: hands what arrives to an inbox, with the moment it arrived, and then wakes the app.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::time::MonoTime;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use crate::browser;

/// What a socket has to say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SocketEvent {
    /// It is open.
    Open,
    /// A binary frame came.
    Frame(Vec<u8>),
    /// A text frame came, which no server of ours sends.
    Text,
    /// It is closed, with this code, and with the reason that the other end gave or none.
    Closed(u16, String),
}

type Inbox = Rc<RefCell<VecDeque<(MonoTime, SocketEvent)>>>;

/// One connection attempt, and the connection it became. Dropping it closes it and silences its events.
pub(crate) struct Socket {
    socket: WebSocket,
    inbox: Inbox,
    _on_event: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Begins to connect; `wake` is called after every event.
    ///
    /// # Errors
    /// What the browser says of the address.
    pub(crate) fn open(url: &str, wake: Rc<dyn Fn()>) -> Result<Socket, String> {
        let socket = WebSocket::new_with_str(url, SUBPROTOCOL).map_err(|e| crate::gl::context::text(&e))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let inbox = Inbox::default();
        let push = {
            let inbox = Rc::clone(&inbox);
            move |event| {
                inbox.borrow_mut().push_back((browser::now(), event));
                wake();
            }
        };
        let push = Rc::new(push);
        let on_event = {
            let push = Rc::clone(&push);
            Closure::<dyn FnMut(Event)>::new(move |_| push(SocketEvent::Open))
        };
        let on_message = {
            let push = Rc::clone(&push);
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                let event = match event.data().dyn_into::<js_sys::ArrayBuffer>() {
                    Ok(buffer) => SocketEvent::Frame(js_sys::Uint8Array::new(&buffer).to_vec()),
                    Err(_) => SocketEvent::Text,
                };
                push(event);
            })
        };
        let on_close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            push(SocketEvent::Closed(event.code(), event.reason()));
        });
        socket.set_onopen(Some(on_event.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Socket { socket, inbox, _on_event: on_event, _on_message: on_message, _on_close: on_close })
    }

    /// The next thing that arrived, and when.
    pub(crate) fn poll(&self) -> Option<(MonoTime, SocketEvent)> {
        self.inbox.borrow_mut().pop_front()
    }

    /// Sends a binary frame. Not being open is no error here: the close event tells.
    pub(crate) fn send(&self, frame: &[u8]) {
        if self.socket.ready_state() == WebSocket::OPEN {
            let _ = self.socket.send_with_u8_array(frame);
        }
    }

    /// Bytes that the browser has not yet sent.
    #[must_use]
    pub(crate) fn unsent(&self) -> u32 {
        self.socket.buffered_amount()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // 1000: a socket still connecting gives up, an open one says goodbye.
        let _ = self.socket.close_with_code(1000);
    }
}

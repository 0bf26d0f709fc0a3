//! The WebSocket: puts every event with its time into an inbox, and then wakes the app.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use broadside_shared::protocol::SUBPROTOCOL;
use broadside_shared::time::MonoTime;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use crate::browser;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SocketEvent {
    Open,
    Frame(Vec<u8>),
    /// A text frame, which the server never sends.
    Text,
    /// The close code, and the other end's reason or an empty one.
    Closed(u16, String),
}

type Inbox = Rc<RefCell<VecDeque<(MonoTime, SocketEvent)>>>;

/// A connection attempt, and the connection it becomes. Dropping it closes it and silences its events.
pub(crate) struct Socket {
    socket: WebSocket,
    inbox: Inbox,
    _on_event: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Starts to connect; `wake` is called after every event.
    ///
    /// # Errors
    /// The browser's objection to the address.
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

    /// The next event, and when it happened.
    pub(crate) fn poll(&self) -> Option<(MonoTime, SocketEvent)> {
        self.inbox.borrow_mut().pop_front()
    }

    /// Sends a binary frame. A socket that is not open drops it; the close event follows.
    pub(crate) fn send(&self, frame: &[u8]) {
        if self.socket.ready_state() == WebSocket::OPEN {
            let _ = self.socket.send_with_u8_array(frame);
        }
    }

    /// Bytes that the browser has not sent yet.
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
        // 1000: a connecting socket gives up, an open one closes normally.
        let _ = self.socket.close_with_code(1000);
    }
}

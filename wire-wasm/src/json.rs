//! A JSON serializer for what messages consist of: integers, text, lists and enums. Messages contain no fractions, and a library that
//! can write them would be larger than the rest of this module.

use std::fmt;

use serde::ser::{self, Serialize};

/// Writes a value as JSON. Integers that JavaScript cannot represent exactly are written as text.
#[must_use]
pub fn write(value: &impl Serialize) -> String {
    let mut json = Json(String::new());
    match value.serialize(&mut json) {
        Ok(()) => json.0,
        Err(Fraction) => "null".to_owned(),
    }
}

/// Appends text as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// JavaScript represents every integer below this one exactly.
const EXACT_MAX: u64 = 1 << 53;

/// The only error: the value contains a fraction.
#[derive(Debug)]
pub struct Fraction;

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages contain no fractions")
    }
}

impl std::error::Error for Fraction {}

impl ser::Error for Fraction {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Fraction
    }
}

/// The text written so far.
pub struct Json(String);

/// An unfinished list or object.
pub struct Unfinished<'a> {
    json: &'a mut Json,
    empty: bool,
    end: &'static str,
}

impl Json {
    fn open(&mut self, begin: &str, end: &'static str) -> Result<Unfinished<'_>, Fraction> {
        self.0.push_str(begin);
        Ok(Unfinished { json: self, empty: true, end })
    }

    fn variant(&mut self, name: &str, begin: &str, end: &'static str) -> Result<Unfinished<'_>, Fraction> {
        self.0.push('{');
        quote(name, &mut self.0);
        self.0.push(':');
        self.open(begin, end)
    }
}

impl Unfinished<'_> {
    fn element(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Fraction> {
        if !std::mem::take(&mut self.empty) {
            self.json.0.push(',');
        }
        value.serialize(&mut *self.json)
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Fraction> {
        self.element(name)?;
        self.json.0.push(':');
        value.serialize(&mut *self.json)
    }

    fn close(self) -> Result<(), Fraction> {
        self.json.0.push_str(self.end);
        Ok(())
    }
}

/// Integers of up to 32 bits.
macro_rules! integers {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<(), Fraction> {
            self.serialize_i64(i64::from(value))
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Json {
    type Ok = ();
    type Error = Fraction;
    type SerializeSeq = Unfinished<'a>;
    type SerializeTuple = Unfinished<'a>;
    type SerializeTupleStruct = Unfinished<'a>;
    type SerializeTupleVariant = Unfinished<'a>;
    type SerializeMap = Unfinished<'a>;
    type SerializeStruct = Unfinished<'a>;
    type SerializeStructVariant = Unfinished<'a>;

    integers!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32);
    integers!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32);

    fn serialize_i64(self, value: i64) -> Result<(), Fraction> {
        self.0.push_str(&value.to_string());
        Ok(())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Fraction> {
        if value < EXACT_MAX { self.serialize_i64(value as i64) } else { self.serialize_str(&value.to_string()) }
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fraction> {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Result<(), Fraction> {
        Err(Fraction)
    }

    fn serialize_f64(self, _: f64) -> Result<(), Fraction> {
        Err(Fraction)
    }

    fn serialize_char(self, value: char) -> Result<(), Fraction> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Fraction> {
        quote(value, &mut self.0);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fraction> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Fraction> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fraction> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fraction> {
        self.0.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fraction> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fraction> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fraction> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fraction> {
        let mut open = self.open("{", "}")?;
        open.field(variant, value)?;
        open.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Unfinished<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Unfinished<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Unfinished<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Unfinished<'a>, Fraction> {
        self.variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Unfinished<'a>, Fraction> {
        self.open("{", "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Unfinished<'a>, Fraction> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Unfinished<'a>, Fraction> {
        self.variant(variant, "{", "}}")
    }
}

/// Lists and tuples.
macro_rules! list {
    ($($kind:ident $method:ident),*) => {
        $(impl ser::$kind for Unfinished<'_> {
            type Ok = ();
            type Error = Fraction;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fraction> {
                self.element(value)
            }

            fn end(self) -> Result<(), Fraction> {
                self.close()
            }
        })*
    };
}

list!(SerializeSeq serialize_element, SerializeTuple serialize_element);
list!(SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

/// Structures.
macro_rules! object {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Unfinished<'_> {
            type Ok = ();
            type Error = Fraction;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fraction> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Fraction> {
                self.close()
            }
        })*
    };
}

object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Unfinished<'_> {
    type Ok = ();
    type Error = Fraction;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fraction> {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fraction> {
        self.json.0.push(':');
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Fraction> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::ids::RoomId;
    use broadside_shared::protocol::message::{Outcome, Refusal, Request, ServerMsg, ServerNotice};
    use broadside_shared::protocol::room::RoomChoice;

    #[test]
    fn messages_are_written_as_json() {
        let reply = ServerMsg::Reply { id: 7, outcome: Outcome::Refused(Refusal::TooFast { wait_ms: 250 }) };
        assert_eq!(write(&reply), r#"{"Reply":{"id":7,"outcome":{"Refused":{"TooFast":{"wait_ms":250}}}}}"#);
        assert_eq!(write(&ServerMsg::ServerNotice(ServerNotice::Muted)), r#"{"ServerNotice":"Muted"}"#);
        let say = Request::Say { topic: "a\"\\\n".into(), text: "<b>ü</b>".into() };
        assert_eq!(write(&say), r#"{"Say":{"topic":"a\"\\\u000a","text":"<b>ü</b>"}}"#);
        let seat = RoomChoice::Reserved { room: RoomId(3), reservation: u64::MAX };
        assert_eq!(write(&seat), r#"{"Reserved":{"room":3,"reservation":"18446744073709551615"}}"#);
        assert_eq!(write(&(vec![(1u8, -2i32)], None::<u8>, true)), "[[[1,-2]],null,true]");
        assert_eq!(write(&1.5f32), "null");
    }
}

//! Values as JSON: a serializer for what the wire is made of, whole numbers, text, lists and enums. Fractions are not on the wire,
//! and a library that can write them would weigh more than all the rest here.

use std::fmt;

use serde::ser::{self, Serialize};

/// Writes a value as JSON. Numbers that JavaScript would round are written as text.
#[must_use]
pub fn write(value: &impl Serialize) -> String {
    let mut json = Json(String::new());
    match value.serialize(&mut json) {
        Ok(()) => json.0,
        Err(Fraction) => "null".to_owned(),
    }
}

/// Appends text in quotes.
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

/// The largest whole number that JavaScript keeps exact.
const EXACT_MAX: u64 = 1 << 53;

/// The only error: there was a fraction.
#[derive(Debug)]
pub struct Fraction;

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fractions are not on the wire")
    }
}

impl std::error::Error for Fraction {}

impl ser::Error for Fraction {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Fraction
    }
}

/// The text so far.
pub struct Json(String);

/// A list or an object that is being written.
pub struct Open<'a> {
    json: &'a mut Json,
    empty: bool,
    end: &'static str,
}

impl Json {
    fn open(&mut self, begin: &str, end: &'static str) -> Result<Open<'_>, Fraction> {
        self.0.push_str(begin);
        Ok(Open { json: self, empty: true, end })
    }

    fn variant(&mut self, name: &str, begin: &str, end: &'static str) -> Result<Open<'_>, Fraction> {
        self.0.push('{');
        quote(name, &mut self.0);
        self.0.push(':');
        self.open(begin, end)
    }
}

impl Open<'_> {
    fn publication(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Fraction> {
        if !std::mem::take(&mut self.empty) {
            self.json.0.push(',');
        }
        value.serialize(&mut *self.json)
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Fraction> {
        self.publication(name)?;
        self.json.0.push(':');
        value.serialize(&mut *self.json)
    }

    fn close(self) -> Result<(), Fraction> {
        self.json.0.push_str(self.end);
        Ok(())
    }
}

/// Whole numbers all go the same way.
macro_rules! whole {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<(), Fraction> {
            self.serialize_i64(i64::from(value))
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Json {
    type Ok = ();
    type Error = Fraction;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    whole!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32);
    whole!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32);

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

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Fraction> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, Fraction> {
        self.variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, Fraction> {
        self.open("{", "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Fraction> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, Fraction> {
        self.variant(variant, "{", "}}")
    }
}

/// Lists of any kind.
macro_rules! list {
    ($($kind:ident $publication:ident),*) => {
        $(impl ser::$kind for Open<'_> {
            type Ok = ();
            type Error = Fraction;

            fn $publication<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fraction> {
                self.publication(value)
            }

            fn end(self) -> Result<(), Fraction> {
                self.close()
            }
        })*
    };
}

list!(SerializeSeq serialize_element, SerializeTuple serialize_element);
list!(SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

/// Objects of any kind.
macro_rules! object {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Open<'_> {
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

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Fraction;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fraction> {
        self.publication(key)
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
    fn messages_read_as_json() {
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

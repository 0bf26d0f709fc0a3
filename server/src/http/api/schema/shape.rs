//! The shape of a type as serde sees it: what the codec writes for it.
//!
//! A type shows its shape by being read: [`Probe`] hands it any value of the shape that it asks for, and notes the
//! shape. One reading visits one variant of each enum, so a type is read until every variant of every enum in it has
//! been visited.

use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

/// Types that are nested deeper contain themselves.
const DEPTH_MAX: usize = 64;
/// What every string is: valid as a name and as a text.
const STRING: &str = "Ann";

/// What the codec writes for a type.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// Not visited yet.
    Unknown,
    /// A number, a string or the like, by its name in the schema; `unit` for nothing.
    Plain(&'static str),
    Option(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    Tuple(Vec<Shape>),
    Struct(Vec<(&'static str, Shape)>),
    /// An enum, by its index in [`Tracer::enums`].
    Enum(usize),
}

/// Why a type has no shape, in words of the type.
#[derive(Debug)]
pub(super) struct Shapeless(String);

impl fmt::Display for Shapeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Shapeless {}

impl de::Error for Shapeless {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Shapeless(what.to_string())
    }
}

/// The shape of `T` as in the schema.
///
/// # Errors
/// `T` refuses a plain value of its shape, contains itself, or asks the codec what comes next, which the codec does not
/// know.
pub(super) fn of<T: DeserializeOwned>() -> Result<Value, Shapeless> {
    let mut tracer = Tracer::default();
    loop {
        tracer.incomplete = false;
        let mut shape = Shape::Unknown;
        let read = T::deserialize(Probe { tracer: &mut tracer, depth: 0, shape: &mut shape });
        match (read, &shape) {
            // A type without values, such as `NoRequest`, is an enum without variants.
            (Err(_), Shape::Enum(at)) if tracer.enums[*at].variants.is_empty() => {}
            (Err(shapeless), _) => return Err(shapeless),
            (Ok(_), _) if tracer.incomplete => continue,
            (Ok(_), _) => {}
        }
        return Ok(tracer.json(&shape));
    }
}

/// The enums seen so far.
#[derive(Debug, Default)]
struct Tracer {
    enums: Vec<TracedEnum>,
    /// Whether an enum with unvisited variants was met since this was last reset.
    incomplete: bool,
}

#[derive(Debug)]
struct TracedEnum {
    name: &'static str,
    variants: &'static [&'static str],
    shapes: Vec<Shape>,
    /// Variants in which everything was visited.
    complete: Vec<bool>,
}

impl Tracer {
    fn index_of(&mut self, name: &'static str, variants: &'static [&'static str]) -> usize {
        let known = self.enums.iter().position(|known| known.name == name && known.variants == variants);
        known.unwrap_or_else(|| {
            let (shapes, complete) = (vec![Shape::Unknown; variants.len()], vec![false; variants.len()]);
            self.enums.push(TracedEnum { name, variants, shapes, complete });
            self.enums.len() - 1
        })
    }

    fn json(&self, shape: &Shape) -> Value {
        let named = |name: &str, shape: &Shape| json!({ "name": name, "layout": self.json(shape) });
        match shape {
            Shape::Unknown => json!("unit"),
            Shape::Plain(name) => json!(name),
            Shape::Option(of) => json!({ "option": self.json(of) }),
            Shape::List(of) => json!({ "list": self.json(of) }),
            Shape::Map(key, value) => json!({ "map": { "key": self.json(key), "value": self.json(value) } }),
            Shape::Tuple(parts) => match parts.split_first() {
                Some((first, rest)) if rest.iter().all(|part| part == first) => {
                    json!({ "array": { "of": self.json(first), "length": parts.len() } })
                }
                _ => json!({ "tuple": parts.iter().map(|part| self.json(part)).collect::<Vec<_>>() }),
            },
            Shape::Struct(fields) => {
                json!({ "struct": fields.iter().map(|(name, shape)| named(name, shape)).collect::<Vec<_>>() })
            }
            Shape::Enum(at) => {
                let TracedEnum { variants, shapes, .. } = &self.enums[*at];
                let variants = variants.iter().zip(shapes);
                json!({ "enum": variants.map(|(name, shape)| named(&camel(name), shape)).collect::<Vec<_>>() })
            }
        }
    }
}

/// The name of a variant as in the schema: `KillFeed` becomes `killFeed`.
fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Gives a type what it asks for, and notes it.
struct Probe<'a> {
    tracer: &'a mut Tracer,
    depth: usize,
    shape: &'a mut Shape,
}

impl Probe<'_> {
    /// A probe for a part of this value.
    fn part<'b>(&'b mut self, shape: &'b mut Shape) -> Result<Probe<'b>, Shapeless> {
        if self.depth == DEPTH_MAX {
            return Err(Shapeless("a type that contains itself".to_owned()));
        }
        Ok(Probe { tracer: self.tracer, depth: self.depth + 1, shape })
    }

    /// Shows `count` parts to a visitor.
    fn parts<'de, V: Visitor<'de>>(&mut self, count: usize, visitor: V) -> Result<(V::Value, Vec<Shape>), Shapeless> {
        let mut shapes = vec![Shape::Unknown; count];
        let value = visitor.visit_seq(Parts { probe: self, shapes: shapes.iter_mut() })?;
        Ok((value, shapes))
    }

    fn fields<'de, V: Visitor<'de>>(
        &mut self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shapeless> {
        let (value, shapes) = self.parts(names.len(), visitor)?;
        *self.shape = Shape::Struct(names.iter().copied().zip(shapes).collect());
        Ok(value)
    }
}

/// Values of one kind, each with its name in the schema.
macro_rules! plain {
    ($($method:ident $visit:ident $name:literal $value:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shapeless> {
            *self.shape = Shape::Plain($name);
            visitor.$visit($value)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Probe<'_> {
    type Error = Shapeless;

    plain! {
        deserialize_bool visit_bool "bool" false;
        deserialize_u8 visit_u8 "u8" 0;
        deserialize_u16 visit_u16 "u16" 0;
        deserialize_u32 visit_u32 "u32" 0;
        deserialize_u64 visit_u64 "u64" 0;
        deserialize_u128 visit_u128 "u128" 0;
        deserialize_i8 visit_i8 "i8" 0;
        deserialize_i16 visit_i16 "i16" 0;
        deserialize_i32 visit_i32 "i32" 0;
        deserialize_i64 visit_i64 "i64" 0;
        deserialize_i128 visit_i128 "i128" 0;
        deserialize_f32 visit_f32 "f32" 0.0;
        deserialize_f64 visit_f64 "f64" 0.0;
        deserialize_char visit_char "char" 'A';
        deserialize_str visit_str "string" STRING;
        deserialize_string visit_str "string" STRING;
        deserialize_bytes visit_bytes "bytes" &[];
        deserialize_byte_buf visit_bytes "bytes" &[];
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Shapeless> {
        Err(Shapeless("a type that asks what comes next (untagged, flatten)".to_owned()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shapeless> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shapeless> {
        self.deserialize_any(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Shapeless> {
        *self.shape = Shape::Plain("unit");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Shapeless> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Shapeless> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Shapeless> {
        let mut of = Shape::Unknown;
        let value = visitor.visit_some(self.part(&mut of)?)?;
        *self.shape = Shape::Option(Box::new(of));
        Ok(value)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Shapeless> {
        let (value, shapes) = self.parts(1, visitor)?;
        *self.shape = Shape::List(Box::new(shapes.into_iter().next().unwrap_or(Shape::Unknown)));
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Shapeless> {
        let mut entry = vec![Shape::Unknown, Shape::Unknown];
        let value = visitor.visit_map(Parts { probe: &mut self, shapes: entry.iter_mut() })?;
        let value_shape = entry.pop().unwrap_or(Shape::Unknown);
        *self.shape = Shape::Map(Box::new(entry.pop().unwrap_or(Shape::Unknown)), Box::new(value_shape));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, count: usize, visitor: V) -> Result<V::Value, Shapeless> {
        let (value, shapes) = self.parts(count, visitor)?;
        *self.shape = Shape::Tuple(shapes);
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Shapeless> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shapeless> {
        self.fields(names, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shapeless> {
        let index = self.tracer.index_of(name, variants);
        *self.shape = Shape::Enum(index);
        if variants.is_empty() {
            return Err(Shapeless(format!("`{name}` has no values")));
        }
        let before = std::mem::take(&mut self.tracer.incomplete);
        let number = self.tracer.enums[index].complete.iter().position(|complete| !complete).unwrap_or(0);
        let mut shape = Shape::Plain("unit");
        let value = visitor.visit_enum(Variant { probe: self.part(&mut shape)?, number: number as u32 })?;
        let inside = self.tracer.incomplete;
        let traced = &mut self.tracer.enums[index];
        traced.shapes[number] = shape;
        traced.complete[number] = !inside;
        self.tracer.incomplete = before || inside || traced.complete.contains(&false);
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a list, a tuple or a structure, or the key and the value of a map.
struct Parts<'a, 'b> {
    probe: &'a mut Probe<'b>,
    shapes: std::slice::IterMut<'a, Shape>,
}

impl<'de> SeqAccess<'de> for Parts<'_, '_> {
    type Error = Shapeless;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Shapeless> {
        let Some(shape) = self.shapes.next() else { return Ok(None) };
        seed.deserialize(self.probe.part(shape)?).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, '_> {
    type Error = Shapeless;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Shapeless> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Shapeless> {
        let value = self.next_element_seed(seed)?;
        value.ok_or_else(|| Shapeless("a map that asks for a value before its key".to_owned()))
    }
}

/// One variant of an enum. The probe is the one for its content.
struct Variant<'a> {
    probe: Probe<'a>,
    number: u32,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Shapeless;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Shapeless> {
        let number: U32Deserializer<Shapeless> = self.number.into_deserializer();
        Ok((seed.deserialize(number)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Shapeless;

    fn unit_variant(self) -> Result<(), Shapeless> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Shapeless> {
        seed.deserialize(self.probe)
    }

    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Shapeless> {
        de::Deserializer::deserialize_tuple(self.probe, count, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Shapeless> {
        self.probe.fields(names, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broadside_shared::game::NoRequest;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    enum Order {
        Nothing,
        Buy(Item),
        Trade { give: Item, price: Option<u16> },
        Both(u8, i32),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    enum Item {
        Sail,
        Cannon([f32; 2]),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Tree {
        below: Vec<Tree>,
    }

    #[test]
    fn every_variant_of_an_enum_inside_an_enum_is_found() {
        let unit = |name: &str| json!({ "name": name, "layout": "unit" });
        let array = json!({ "array": { "of": "f32", "length": 2 } });
        let item = json!({ "enum": [unit("sail"), { "name": "cannon", "layout": array }] });
        let trade = json!({ "struct": [
            { "name": "give", "layout": item },
            { "name": "price", "layout": { "option": "u16" } },
        ] });
        assert_eq!(
            of::<Order>().expect("a shape"),
            json!({ "enum": [
                unit("nothing"),
                { "name": "buy", "layout": item },
                { "name": "trade", "layout": trade },
                { "name": "both", "layout": { "tuple": ["u8", "i32"] } },
            ] })
        );
    }

    #[test]
    fn types_without_values_are_empty_and_types_without_a_shape_say_why() {
        assert_eq!(of::<NoRequest>().expect("a shape"), json!({ "enum": [] }));
        assert_eq!(of::<()>().expect("a shape"), json!("unit"));
        let map = of::<BTreeMap<u8, String>>().expect("a shape");
        assert_eq!(map, json!({ "map": { "key": "u8", "value": "string" } }));
        assert!(of::<Tree>().expect_err("endless").to_string().contains("contains itself"));
        assert!(of::<Value>().expect_err("shapeless").to_string().contains("asks what comes next"));
    }
}

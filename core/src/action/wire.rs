//! How actions are read from and written to JSON without losing anything.
//!
//! `wire_struct!` makes a struct with the fields that the protocol names and one more, `extra`, for all
//! others. serde's `flatten` would do it too, but buffers each value and sends large numbers through f64.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value kept as the text that was read, so that numbers of any size and precision survive.
///
/// ```
/// use deltalakedb_core::action::Json;
/// let json: Json = serde_json::from_str("12345678901234567890.10")?;
/// assert_eq!(json.text(), "12345678901234567890.10");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The value of `text`, which must be JSON.
    pub fn parse(text: String) -> serde_json::Result<Self> {
        RawValue::from_string(text).map(Json)
    }

    /// Any serializable value as JSON.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::value::to_raw_value(value).map(Json)
    }

    /// Reads the value as a `T`; `None` where it is not one.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Json)
    }
}

/// The fields of an action that the protocol does not name.
pub type Extra = BTreeMap<String, Json>;

/// A map of strings as the protocol has them: partition values, configuration, format options.
///
/// A null stays null. A number or boolean that a writer left unquoted is taken by its text, as
/// Delta-Spark does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringMap(pub BTreeMap<String, Option<String>>);

impl StringMap {
    /// The value of `key`, when it is there and not null.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_deref()
    }

    /// The map as JSON text.
    pub fn to_json(&self) -> String {
        // A map with string keys always has a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for StringMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de> Deserialize<'de> for StringMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: BTreeMap<String, Scalar> = BTreeMap::deserialize(deserializer)?;
        Ok(StringMap(raw.into_iter().map(|(key, Scalar(value))| (key, value)).collect()))
    }
}

struct Scalar(Option<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map(|value| Scalar(Some(value))).map_err(de::Error::custom),
            Some(b'{' | b'[') => Err(de::Error::custom("expected a string or null")),
            _ if text == "null" => Ok(Scalar(None)),
            _ => Ok(Scalar(Some(text.to_owned()))),
        }
    }
}

/// Reads the JSON object of a `wire_struct!`; what its `field` does not take goes to `extra`.
pub(crate) struct ObjectVisitor<T>(pub(crate) std::marker::PhantomData<T>);

/// A struct under construction, field by field.
pub(crate) trait FromFields: Sized {
    type Partial: Default;
    const NAME: &'static str;
    /// Reads the value of `key`, which may be unknown.
    fn field<'de, A: MapAccess<'de>>(partial: &mut Self::Partial, key: &str, map: &mut A) -> Result<(), A::Error>;
    /// The struct, or the name of the first required field that is missing.
    fn finish(partial: Self::Partial) -> Result<Self, &'static str>;
}

impl<'de, T: FromFields> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a JSON object for `{}`", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut partial = T::Partial::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            T::field(&mut partial, &key, &mut map)?;
        }
        T::finish(partial).map_err(|field| de::Error::custom(format!("`{}` has no `{field}`", T::NAME)))
    }
}

macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        $name:ident as $wire_name:literal {
            $( $(#[$field_meta:meta])* $kind:ident $field:ident : $ty:ty = $wire:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $crate::action::wire::wire_type!($kind $ty), )*
            /// Fields that the protocol does not name, as they were read.
            pub extra: $crate::action::Extra,
        }

        const _: () = {
            #[derive(Default)]
            #[allow(unreachable_pub)] // as public as the struct that it becomes
            pub struct Partial {
                $( $field: Option<$ty>, )*
                extra: $crate::action::Extra,
            }

            impl $crate::action::wire::FromFields for $name {
                type Partial = Partial;
                const NAME: &'static str = $wire_name;

                fn field<'de, A: serde::de::MapAccess<'de>>(
                    partial: &mut Partial,
                    key: &str,
                    map: &mut A,
                ) -> Result<(), A::Error> {
                    match key {
                        $( $wire => partial.$field = map.next_value().map_err(|error| {
                            serde::de::Error::custom(format!(concat!("`{}`, field `", $wire, "`: {}"), Self::NAME, error))
                        })?, )*
                        _ => {
                            partial.extra.insert(key.to_owned(), map.next_value()?);
                        }
                    }
                    Ok(())
                }

                fn finish(partial: Partial) -> Result<Self, &'static str> {
                    Ok($name {
                        $( $field: $crate::action::wire::wire_finish!($kind partial.$field, $wire), )*
                        extra: partial.extra,
                    })
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_map($crate::action::wire::ObjectVisitor::<$name>(std::marker::PhantomData))
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    use serde::ser::SerializeMap;
                    let mut map = serializer.serialize_map(None)?;
                    $( $crate::action::wire::wire_write!($kind map, $wire, &self.$field); )*
                    for (key, value) in &self.extra {
                        map.serialize_entry(key, value)?;
                    }
                    map.end()
                }
            }
        };
    };
}

macro_rules! wire_type {
    (required $ty:ty) => { $ty };
    (optional $ty:ty) => { Option<$ty> };
    (defaulted $ty:ty) => { $ty };
}

macro_rules! wire_finish {
    (required $value:expr, $wire:literal) => {
        match $value {
            Some(value) => value,
            None => return Err($wire),
        }
    };
    (optional $value:expr, $wire:literal) => {
        $value
    };
    (defaulted $value:expr, $wire:literal) => {
        $value.unwrap_or_default()
    };
}

macro_rules! wire_write {
    (optional $map:ident, $wire:literal, $value:expr) => {
        if let Some(value) = $value {
            $map.serialize_entry($wire, value)?;
        }
    };
    ($kind:ident $map:ident, $wire:literal, $value:expr) => {
        $map.serialize_entry($wire, $value)?;
    };
}

pub(crate) use {wire_finish, wire_struct, wire_type, wire_write};

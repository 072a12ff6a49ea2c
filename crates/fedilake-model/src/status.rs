//! A status as the API gives it, read leniently.
//!
//! Servers of a dozen makes speak this API, each with its own idea of it. So every field may be missing, null or of any
//! type: what cannot be used counts as missing and costs only itself. Unknown fields are skipped, of repeated ones the
//! last counts, broken UTF-8 and lone surrogates become U+FFFD. Only what is not a JSON object at all is an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::time;

/// Objects and lists within each other; beyond it is no status, and reading it would eat the stack.
const DEPTH_MAX: usize = 256;

/// Why bytes are no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoStatus {
    NotJson,
    TooDeep,
}

/// The fields that a post is made of.
#[derive(Default)]
pub(crate) struct Status<'a> {
    pub(crate) id: Id<'a>,
    pub(crate) uri: Text<'a>,
    pub(crate) url: Text<'a>,
    pub(crate) created_at: Time,
    pub(crate) edited_at: Time,
    pub(crate) account: Account<'a>,
    pub(crate) content: Text<'a>,
    pub(crate) spoiler_text: Text<'a>,
    pub(crate) language: Text<'a>,
    pub(crate) visibility: Text<'a>,
    pub(crate) sensitive: Flag,
    pub(crate) favourites: Count,
    pub(crate) reblogs: Count,
    pub(crate) replies: Count,
    pub(crate) in_reply_to_id: Id<'a>,
    pub(crate) in_reply_to_account_id: Id<'a>,
    pub(crate) reblog: Presence,
    pub(crate) poll: Presence,
    pub(crate) quote: Quote<'a>,
    pub(crate) application: Application<'a>,
    pub(crate) media: Many<Media>,
    pub(crate) mentions: Many<Mention<'a>>,
    pub(crate) tags: Many<Tag<'a>>,
}

/// The author. `is_there` tells an empty object from none.
#[derive(Default)]
pub(crate) struct Account<'a> {
    pub(crate) is_there: bool,
    pub(crate) id: Id<'a>,
    pub(crate) acct: Text<'a>,
    pub(crate) username: Text<'a>,
    pub(crate) url: Text<'a>,
    pub(crate) uri: Text<'a>,
    pub(crate) note: Text<'a>,
    pub(crate) created_at: Time,
    pub(crate) bot: Flag,
    pub(crate) followers: Count,
    pub(crate) indexable: Flag,
    pub(crate) noindex: Flag,
}

/// Mastodon's `{state, quoted_status}` or Akkoma's bare status.
#[derive(Default)]
pub(crate) struct Quote<'a> {
    pub(crate) is_there: bool,
    pub(crate) uri: Text<'a>,
    quoted_status: Quoted<'a>,
}

impl<'a> Quote<'a> {
    /// The quoted post's uri, where the server shows it.
    pub(crate) fn quoted_uri(self) -> Option<Cow<'a, str>> {
        self.quoted_status.uri.0.or(self.uri.0)
    }
}

#[derive(Default)]
struct Quoted<'a> {
    uri: Text<'a>,
}

#[derive(Default)]
pub(crate) struct Application<'a> {
    pub(crate) name: Text<'a>,
}

#[derive(Default)]
pub(crate) struct Media {
    pub(crate) description: Presence,
}

#[derive(Default)]
pub(crate) struct Mention<'a> {
    pub(crate) acct: Text<'a>,
    pub(crate) url: Text<'a>,
}

#[derive(Default)]
pub(crate) struct Tag<'a> {
    pub(crate) name: Text<'a>,
}

/// Text that is not empty.
#[derive(Default)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

/// An opaque id: text, or a number as some servers have it.
#[derive(Default)]
pub(crate) struct Id<'a>(pub(crate) Option<Cow<'a, str>>);

/// A moment as RFC 3339.
#[derive(Default)]
pub(crate) struct Time(pub(crate) Option<DateTime<Utc>>);

#[derive(Default)]
pub(crate) struct Flag(pub(crate) Option<bool>);

/// A number that is not negative.
#[derive(Default)]
pub(crate) struct Count(pub(crate) Option<i64>);

/// Whether anything is there: not null, not false, not the empty text.
#[derive(Default)]
pub(crate) struct Presence(pub(crate) bool);

/// The elements of a list; one of the wrong type is an empty one.
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<'a> Status<'a> {
    /// Reads `json`.
    pub(crate) fn from_json(json: &'a [u8]) -> Result<Status<'a>, NoStatus> {
        if is_deeper(json, DEPTH_MAX) {
            return Err(NoStatus::TooDeep);
        }
        let mut deserializer = sonic_rs::Deserializer::from_slice(json).utf8_lossy();
        let Object(status) = deserializer.deserialize().map_err(|_| NoStatus::NotJson)?;
        deserializer.end().map_err(|_| NoStatus::NotJson)?;
        Ok(status)
    }
}

/// Whether lists and objects may lie deeper than `depth_max` within each other.
fn is_deeper(json: &[u8], depth_max: usize) -> bool {
    let opening = json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    opening > depth_max && depth(json) > depth_max
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What a JSON value of each type means to a field; nothing, if the field does not say.
trait Lenient<'de>: Default {
    fn from_text(_: Cow<'de, str>) -> Self {
        Self::default()
    }
    fn from_integer(_: i128) -> Self {
        Self::default()
    }
    fn from_float(_: f64) -> Self {
        Self::default()
    }
    fn from_bool(_: bool) -> Self {
        Self::default()
    }
    fn from_object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
    fn from_list<A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn from_text(text: Cow<'de, str>) -> Self {
        Text(Some(text).filter(|text| !text.is_empty()))
    }
}

impl<'de> Lenient<'de> for Id<'de> {
    fn from_text(text: Cow<'de, str>) -> Self {
        Id(Some(text).filter(|text| !text.is_empty()))
    }
    fn from_integer(number: i128) -> Self {
        Id(Some(Cow::Owned(number.to_string())))
    }
}

impl<'de> Lenient<'de> for Time {
    fn from_text(text: Cow<'de, str>) -> Self {
        Time(time::from_rfc3339(&text))
    }
}

impl<'de> Lenient<'de> for Flag {
    fn from_bool(flag: bool) -> Self {
        Flag(Some(flag))
    }
}

impl<'de> Lenient<'de> for Count {
    fn from_integer(number: i128) -> Self {
        Count(i64::try_from(number).ok().filter(|number| *number >= 0))
    }
}

impl<'de> Lenient<'de> for Presence {
    fn from_text(text: Cow<'de, str>) -> Self {
        Presence(!text.trim().is_empty())
    }
    fn from_integer(_: i128) -> Self {
        Presence(true)
    }
    fn from_float(_: f64) -> Self {
        Presence(true)
    }
    fn from_bool(flag: bool) -> Self {
        Presence(flag)
    }
    fn from_object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Presence(true))
    }
    fn from_list<A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Presence(true))
    }
}

impl<T> Default for Many<T> {
    fn default() -> Many<T> {
        Many(Vec::new())
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Many<T> {
    fn from_list<A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut many = Vec::new();
        while let Some(Field(element)) = elements.next_element()? {
            many.push(element);
        }
        Ok(Many(many))
    }
}

/// Gives a struct its `from_object`: JSON names beside the fields that take their values.
macro_rules! object {
    ($name:ident$(<$life:lifetime>)? { $($key:literal => $($field:ident).+,)* } $(is_there $is_there:ident)?) => {
        impl<'de> Lenient<'de> for object!(@type $name $($life)?) {
            fn from_object<A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
                let mut object = Self::default();
                $(object.$is_there = true;)?
                while let Some(Key(key)) = fields.next_key()? {
                    match &*key {
                        $($key => {
                            let Field(value) = fields.next_value()?;
                            object.$($field).+ = value;
                        })*
                        _ => {
                            let IgnoredAny = fields.next_value()?;
                        }
                    }
                }
                Ok(object)
            }
        }
    };
    (@type $name:ident $life:lifetime) => { $name<'de> };
    (@type $name:ident) => { $name };
}

object!(Status<'a> {
    "id" => id,
    "uri" => uri,
    "url" => url,
    "created_at" => created_at,
    "edited_at" => edited_at,
    "account" => account,
    "content" => content,
    "spoiler_text" => spoiler_text,
    "language" => language,
    "visibility" => visibility,
    "sensitive" => sensitive,
    "favourites_count" => favourites,
    "reblogs_count" => reblogs,
    "replies_count" => replies,
    "in_reply_to_id" => in_reply_to_id,
    "in_reply_to_account_id" => in_reply_to_account_id,
    "reblog" => reblog,
    "poll" => poll,
    "quote" => quote,
    "application" => application,
    "media_attachments" => media,
    "mentions" => mentions,
    "tags" => tags,
});

object!(Account<'a> {
    "id" => id,
    "acct" => acct,
    "username" => username,
    "url" => url,
    "uri" => uri,
    "note" => note,
    "created_at" => created_at,
    "bot" => bot,
    "followers_count" => followers,
    "indexable" => indexable,
    "noindex" => noindex,
} is_there is_there);

object!(Quote<'a> {
    "uri" => uri,
    "quoted_status" => quoted_status,
} is_there is_there);

object!(Quoted<'a> { "uri" => uri, });
object!(Application<'a> { "name" => name, });
object!(Media { "description" => description, });
object!(Mention<'a> { "acct" => acct, "url" => url, });
object!(Tag<'a> { "name" => name, });

/// A value of any type, as its field takes it.
struct Field<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData)).map(Field)
    }
}

/// A value that must be an object.
struct Object<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyType(PhantomData)).map(Object)
    }
}

struct AnyType<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for AnyType<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::from_text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::from_text(Cow::Owned(text.to_owned())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::from_integer(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::from_integer(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::from_float(number))
    }
    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::from_bool(flag))
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::from_object(fields)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<T, A::Error> {
        T::from_list(elements)
    }
}

/// An object's key.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

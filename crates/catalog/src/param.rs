//! Values bound to statements. A missing value keeps its type, because PostgreSQL asks for one.

use mainspring_kernel::{AssetKind, AssetRef, Digest, Id, IdKind, Name, Role, Selector, Timestamp};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// What can be bound. `params!` calls this for each value.
pub trait IntoParam {
    /// The parameter for a missing value of this type.
    fn absent() -> Param
    where
        Self: Sized;
    fn into_param(self) -> Param;
}

/// `params![id, &name, Some(3_i64)]`: the values of `$1`, `$2`, `$3`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::IntoParam::into_param($value)),*] };
}

impl IntoParam for Param {
    fn absent() -> Param {
        Param::Text(None)
    }
    fn into_param(self) -> Param {
        self
    }
}

impl<T: IntoParam> IntoParam for Option<T> {
    fn absent() -> Param {
        T::absent()
    }
    fn into_param(self) -> Param {
        self.map_or_else(T::absent, T::into_param)
    }
}

impl<T: IntoParam + Clone> IntoParam for &T {
    fn absent() -> Param {
        T::absent()
    }
    fn into_param(self) -> Param {
        self.clone().into_param()
    }
}

macro_rules! bind_as {
    ($variant:ident: $($kind:ty => $convert:expr;)*) => {$(
        impl IntoParam for $kind {
            fn absent() -> Param { Param::$variant(None) }
            fn into_param(self) -> Param {
                let convert: fn($kind) -> _ = $convert;
                Param::$variant(Some(convert(self)))
            }
        }
    )*};
}

bind_as! { Int:
    i64 => |value| value;
    i32 => i64::from;
    u32 => i64::from;
    bool => i64::from;
    Timestamp => Timestamp::as_micros;
    // Counts and limits: nothing here comes near the end of an i64.
    usize => |value| i64::try_from(value).unwrap_or(i64::MAX);
    u64 => |value| i64::try_from(value).unwrap_or(i64::MAX);
}

bind_as! { Text:
    String => |value| value;
    &str => str::to_owned;
    Name => String::from;
    Digest => |value| value.to_string();
    Role => |value| value.to_string();
    AssetKind => |value| value.to_string();
    AssetRef => |value| value.to_string();
    Selector => |value| value.to_string();
    Value => |value| value.to_string();
}

bind_as! { Bytes:
    Vec<u8> => |value| value;
    &[u8] => <[u8]>::to_vec;
}

impl<K: IdKind> IntoParam for Id<K> {
    fn absent() -> Param {
        Param::Text(None)
    }
    fn into_param(self) -> Param {
        Param::Text(Some(self.to_string()))
    }
}

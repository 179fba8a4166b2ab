//! Dicts: entries in the order of insertion, found by hash.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::value::Value;

/// A value as a key: numbers that are equal are one key, whatever their type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    None,
    Int(i128),
    /// A float that is no integer, by its bits.
    Float(u64),
    Str(Rc<str>),
    Tuple(Vec<Key>),
    /// What is only equal to itself, by its address.
    Identity(usize),
}

/// The deepest tuple that can be a key.
const MAX_KEY_DEPTH: u32 = 32;

impl Key {
    /// `value` as a key; `None` for what Python cannot hash, and for tuples too deep.
    pub(super) fn of(value: &Value) -> Option<Key> {
        Key::at_depth(value, 0)
    }

    fn at_depth(value: &Value, depth: u32) -> Option<Key> {
        if depth > MAX_KEY_DEPTH {
            return None;
        }
        Some(match value {
            Value::None => Key::None,
            Value::Bool(value) => Key::Int(i128::from(*value)),
            Value::Int(value) => Key::Int(*value),
            Value::Float(value) => Key::of_float(*value),
            Value::Str(text) => Key::Str(text.clone()),
            Value::Tuple(items) => Key::Tuple(
                items
                    .values()
                    .iter()
                    .map(|item| Key::at_depth(item, depth + 1))
                    .collect::<Option<Vec<Key>>>()?,
            ),
            Value::Function(closure) => Key::Identity(Rc::as_ptr(closure) as usize),
            Value::Kernel(name) => Key::Str(name.clone()),
            Value::Object(object) => return object.key(),
            Value::Native(_)
            | Value::Method(_)
            | Value::Range(_)
            | Value::List(_)
            | Value::Dict(_)
            | Value::Unknown(_) => return None,
        })
    }

    fn of_float(value: f64) -> Key {
        let whole = value as i128;
        if whole as f64 == value { Key::Int(whole) } else { Key::Float(value.to_bits()) }
    }
}

/// A mapping that remembers the order in which keys came.
#[derive(Clone, Default)]
pub(super) struct Dict {
    /// Entries in order; removed ones leave a hole until there are many.
    entries: Vec<Option<(Value, Value)>>,
    places: FxHashMap<Key, usize>,
}

impl Dict {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        let place = *self.places.get(key)?;
        self.entries.get(place)?.as_ref().map(|(_, value)| value)
    }

    /// Sets the value of `key`, which `shown` is; a key that is there keeps its place.
    pub(super) fn set(&mut self, key: Key, shown: Value, value: Value) {
        if let Some(place) = self.places.get(&key)
            && let Some(Some(entry)) = self.entries.get_mut(*place)
        {
            entry.1 = value;
            return;
        }
        self.places.insert(key, self.entries.len());
        self.entries.push(Some((shown, value)));
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        let place = self.places.remove(key)?;
        let (_, value) = self.entries.get_mut(place)?.take()?;
        if self.entries.len() > 2 * self.places.len() + 8 {
            self.close_holes();
        }
        Some(value)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.places.clear();
    }

    /// Keys and values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.entries.iter().flatten().map(|(key, value)| (key, value))
    }

    /// Every key and value, taken out.
    pub(super) fn drain(&mut self) -> Vec<Value> {
        self.places.clear();
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().flatten().flat_map(|(key, value)| [key, value]).collect()
    }

    fn close_holes(&mut self) {
        self.entries.retain(Option::is_some);
        for (place, entry) in self.entries.iter().enumerate() {
            if let Some((shown, _)) = entry
                && let Some(key) = Key::of(shown)
            {
                self.places.insert(key, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one_key() {
        assert_eq!(Key::of(&Value::Float(1.0)), Key::of(&Value::Bool(true)));
        assert_ne!(Key::of(&Value::Float(0.5)), Key::of(&Value::Int(0)));
        assert_eq!(Key::of(&Value::list(vec![])), None);
    }

    #[test]
    fn order_survives_removal() {
        let mut dict = Dict::default();
        for number in 0..100 {
            dict.set(Key::Int(number), Value::Int(number), Value::None);
        }
        for number in 0..95 {
            dict.remove(&Key::Int(number));
        }
        let keys: Vec<_> = dict.iter().filter_map(|(key, _)| key.as_int()).collect();
        assert_eq!(keys, [95, 96, 97, 98, 99]);
        assert!(dict.get(&Key::Int(97)).is_some());
        assert_eq!(dict.len(), 5);
    }
}

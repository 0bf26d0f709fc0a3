//! A map in a sorted list: a fifth of the code of a B-tree, which counts in a page, and as fast for the hundreds of entries of a view.

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap(Vec::new())
    }
}

impl<K: Ord + Copy, V> SortedMap<K, V> {
    fn find(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(&key))
    }

    /// What is stored for a key.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// Whether anything is stored for a key.
    #[must_use]
    pub fn contains(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    /// What is stored for a key; first, if nothing is, what `make` gives is stored.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = self.find(key).unwrap_or_else(|at| {
            self.0.insert(at, (key, make()));
            at
        });
        &mut self.0[at].1
    }

    /// Stores a value, in place of the one that was there.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Removes a key, and gives what was stored for it.
    pub fn remove(&mut self, key: K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.0.retain_mut(|(_, value)| keep(value));
    }

    /// All entries, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_replaced_and_removed_and_come_in_order() {
        let mut map = SortedMap::default();
        for key in [5_u16, 1, 9] {
            map.insert(key, key * 10);
        }
        map.insert(5, 7);
        *map.get_or_insert_with(3, || 4) += 1;
        assert_eq!(map.iter().collect::<Vec<_>>(), [(1, &10), (3, &5), (5, &7), (9, &90)]);
        assert_eq!((map.remove(5), map.remove(5), map.get(9), map.contains(5)), (Some(7), None, Some(&90), false));
        map.retain(|value| *value > 5);
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), [1, 9]);
    }
}

//! What is set once and read by name. Does not know what a setting means.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{Document, bind};
use crate::engine::Tx;

impl Tx<'_> {
    /// Sets a setting, in the place of the value before.
    ///
    /// # Errors
    /// When the value has no JSON form; faults.
    pub fn set_setting(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        self.execute(
            "INSERT INTO settings (name, document) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET document = excluded.document",
            bind![name, &Document::of(value)?],
        )
        .map(drop)
    }

    /// A setting, if it was set.
    ///
    /// # Errors
    /// When it holds something else than a `T`; faults.
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        self.one("SELECT document FROM settings WHERE name = ?1", bind![name], |row| {
            row.get::<Document>(0)?.read()
        })
    }

    /// Takes a setting out; whether it was set.
    ///
    /// # Errors
    /// Faults only.
    pub fn unset_setting(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.execute("DELETE FROM settings WHERE name = ?1", bind![name])? == 1)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Scratch;

    #[test]
    fn a_setting_is_the_last_value_that_was_set() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        assert_eq!(tx.setting::<u32>("rate").expect("runs"), None);
        tx.set_setting("rate", &5).expect("sets");
        tx.set_setting("rate", &7).expect("sets");
        assert_eq!(tx.setting::<u32>("rate").expect("runs"), Some(7));
        assert!(tx.setting::<String>("rate").is_err(), "it is a number");
        assert!(tx.unset_setting("rate").expect("runs"));
        assert!(!tx.unset_setting("rate").expect("runs"));
    }
}

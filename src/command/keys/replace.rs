//! What a command made, put at a key: the end of every command that stores its result.

use crate::command::call::Call;
use crate::config::Events;
use crate::store::{Key, Value};

/// Puts a value at a key in place of what is there, without a deadline, and tells of it by the
/// events of Redis in their order. No value deletes the key.
pub(in crate::command) fn replace(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    value: Option<Value>,
    class: Events,
    event: &str,
) {
    let now_ms = call.now_ms();
    // What has expired is not overwritten.
    let is_there = call.shard(key).exists(key, now_ms);
    let Some(value) = value else {
        if is_there {
            super::del::delete(call, key);
        }
        return;
    };
    let kind = value.kind();
    let old = call.shard(key).insert(key, value, None);
    match old {
        None => call.notify(key, Events::NEW, "new"),
        Some(old) => {
            let old_kind = old.kind();
            call.let_go(old);
            call.notify(key, Events::OVERWRITTEN, "overwritten");
            if old_kind != kind {
                call.notify(key, Events::TYPE_CHANGED, "type_changed");
            }
        }
    }
    call.changed(key, class, event);
}

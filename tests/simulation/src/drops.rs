//! A client that makes tables and drops them while others work on them.

use std::sync::{Arc, Mutex};

use deltalakedb_core::ErrorKind;
use deltalakedb_core::catalog::{TableSelector, drop_table, find_table};

use crate::executor::{Start, TaskFuture};
use crate::lock;
use crate::port::Client;
use crate::tables::{self, FLEETING};
use crate::world::World;
use crate::writers::expect_fault;

/// What the client made and has not dropped; it finds it again when it died.
type Made = Arc<Mutex<Option<i64>>>;

pub(crate) fn start(world: &Arc<World>, name: &str) -> Start {
    let client = world.client(name);
    let made = Made::default();
    Box::new(move || -> TaskFuture { Box::pin(make_and_drop_for_ever(client.clone(), made.clone())) })
}

async fn make_and_drop_for_ever(client: Client, made: Made) {
    loop {
        let left = *lock(&made);
        let key = match left {
            Some(key) => key,
            None => match tables::create(&client.world, &format!("{FLEETING}{}", client.world.number())).await {
                Ok(key) => key,
                Err(error) => {
                    client.world.violation(format!("{}: making a table: {error}", client.name));
                    return;
                }
            },
        };
        *lock(&made) = Some(key);
        client.sleep(client.below(2_500) as u64).await;
        lock(&client.world.ledger).dropped.insert(key);
        drop_until_gone(&client, key).await;
        *lock(&made) = None;
        client.sleep(client.below(500) as u64).await;
    }
}

async fn drop_until_gone(client: &Client, key: i64) {
    let selector = TableSelector::Key(key);
    loop {
        match drop_table(client, &selector).await {
            Ok(_) => break client.tell(format!("dropped table {key}")),
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => expect_fault(client, "dropping", &error),
        }
        client.sleep(client.below(100) as u64).await;
    }
    match find_table(client, &selector).await {
        Ok(_) => client.world.violation(format!("table {key} was dropped and is there")),
        Err(error) => expect_fault(client, "looking for a dropped table", &error),
    }
}

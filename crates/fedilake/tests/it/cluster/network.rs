//! A network that cuts, delays, swallows and throttles connections to the broker and the store.

use std::time::Duration;

use fedilake_services::Stream::{Down, Up};
use fedilake_services::{Own, Proxy, Toxic, Toxics};
use rand::SeedableRng;

use super::{Cluster, flow, pause, rounds};

/// A fault of a line.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Cut,
    Bad(fedilake_services::Stream, Toxic),
}

const FAULTS: [Fault; 8] = [
    Fault::Cut,
    Fault::Bad(Down, Toxic::ResetPeer { ms: 20 }),
    Fault::Bad(Down, Toxic::Latency { ms: 300, jitter_ms: 200 }),
    // Requests are carried out, and their answers are lost.
    Fault::Bad(Down, Toxic::Timeout { ms: 0 }),
    Fault::Bad(Up, Toxic::Timeout { ms: 0 }),
    Fault::Bad(Down, Toxic::LimitData { bytes: 2_000 }),
    Fault::Bad(Up, Toxic::LimitData { bytes: 5_000 }),
    Fault::Bad(Up, Toxic::Bandwidth { kb_s: 20 }),
];

impl Fault {
    fn begin(self, line: &Proxy) {
        match self {
            Fault::Cut => line.down(),
            Fault::Bad(stream, toxic) => line.add(stream, toxic),
        }
    }

    fn end(self, line: &Proxy) {
        match self {
            Fault::Cut => line.up(),
            Fault::Bad(..) => line.clear(),
        }
    }
}

#[test]
fn chaos_of_a_bad_network_loses_nothing_and_doubles_nothing() {
    let Some(own) = Own::start(&["kafka", "registry", "s3", "proxy"]) else { return };
    let services = own.services();
    let toxics = Toxics::at(&services.proxy);
    let (broker, store) = (toxics.proxy("kafka"), toxics.proxy("s3"));
    let cluster = Cluster::new(&services, 2);
    let log = format!("kafka://{}/{}", services.kafka_proxied, cluster.topic);
    let cluster =
        cluster.with("FEDILAKE_LOG_URL", &log).with("AWS_ENDPOINT_URL", &format!("http://{}", store.address()));
    let servers = flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(13);
    for round in 0..rounds(2) as usize {
        for nth in 0..FAULTS.len() {
            // Each pair of faults occurs in some round.
            let (of_broker, of_store) = (FAULTS[nth], FAULTS[(nth + round) % FAULTS.len()]);
            of_broker.begin(&broker);
            of_store.begin(&store);
            pause(&mut dice, Duration::from_millis(1_500));
            of_broker.end(&broker);
            of_store.end(&store);
            pause(&mut dice, Duration::from_millis(800));
        }
    }
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}

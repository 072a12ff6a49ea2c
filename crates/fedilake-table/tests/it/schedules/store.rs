//! An object store in memory whose calls wait for their turn, and whose puts fail in each way in which a real store's
//! puts fail.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::stage::Stage;

/// A rule of the protocol that a store can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A put replaces an existing object.
    Overwrites,
    /// The answer "already exists" becomes "done", so a sink that lost goes on as if it had won.
    LoserGoesOn,
    /// Each sink reads back the start that it wrote itself, although another was first.
    OwnStart,
}

/// One sink's access to the store.
pub(crate) struct FaultyStore {
    pub(crate) inner: Arc<InMemory>,
    pub(crate) stage: Arc<Stage>,
    /// True once no more faults come.
    pub(crate) healed: Arc<AtomicBool>,
    /// The share of puts that fail, 0 to 1.
    pub(crate) faults: f64,
    pub(crate) broken: Option<Rule>,
    chance: Mutex<ChaCha8Rng>,
    own_start: Arc<Mutex<Option<Bytes>>>,
}

enum Fault {
    /// Nothing is stored: the connection broke.
    Refused,
    /// Nothing is stored, and the store answers that the object exists.
    Conflict,
    /// The object is stored, and the answer is lost.
    AnswerLost,
    /// The call fails, and the object is stored later.
    Late,
}

impl FaultyStore {
    pub(crate) fn new(
        inner: Arc<InMemory>,
        stage: Arc<Stage>,
        healed: Arc<AtomicBool>,
        faults: f64,
        broken: Option<Rule>,
        seed: u64,
    ) -> FaultyStore {
        let chance = Mutex::new(ChaCha8Rng::seed_from_u64(seed));
        FaultyStore { inner, stage, healed, faults, broken, chance, own_start: Arc::default() }
    }

    fn fault(&self) -> Option<Fault> {
        let mut chance = self.chance.lock().unwrap();
        if self.healed.load(Ordering::SeqCst) || !chance.random_bool(self.faults) {
            return None;
        }
        Some(match chance.random_range(0..4) {
            0 => Fault::Refused,
            1 => Fault::Conflict,
            2 => Fault::AnswerLost,
            _ => Fault::Late,
        })
    }

    /// Carries out the put, with the broken rule if there is one.
    fn put(&self, location: Path, payload: PutPayload, mode: PutMode) -> impl FnOnce() -> Result<PutResult> + use<> {
        let (inner, broken, own_start) = (self.inner.clone(), self.broken, self.own_start.clone());
        move || {
            if broken == Some(Rule::OwnStart) && is_start(&location) {
                *own_start.lock().unwrap() = Some(payload.clone().into());
            }
            let mode = if broken == Some(Rule::Overwrites) { PutMode::Overwrite } else { mode };
            let done = inner.put_opts(&location, payload, mode.into()).now_or_never().expect("memory answers at once");
            match done {
                Err(Error::AlreadyExists { .. }) if broken == Some(Rule::LoserGoesOn) => {
                    Ok(PutResult { e_tag: None, version: None, extensions: Default::default() })
                }
                done => done,
            }
        }
    }
}

fn is_start(location: &Path) -> bool {
    location.filename() == Some("_start")
}

fn failed(why: &'static str) -> Error {
    Error::Generic { store: "faulty", source: why.into() }
}

fn exists(location: &Path) -> Error {
    Error::AlreadyExists { path: location.to_string(), source: "conflict".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.put(location.clone(), payload, options.mode);
        match self.fault() {
            None => {
                let done = self.stage.turn(put).await;
                // Time passes before the answer comes; the sink may be killed meanwhile.
                self.stage.turn(|| done).await
            }
            Some(Fault::Refused) => self.stage.turn(|| Err(failed("connection refused"))).await,
            Some(Fault::Conflict) => {
                let conflict = exists(location);
                self.stage.turn(|| Err(conflict)).await
            }
            Some(Fault::AnswerLost) => {
                let _ = self.stage.turn(put).await;
                self.stage.turn(|| Err(failed("answer lost"))).await
            }
            Some(Fault::Late) => {
                self.stage.later(move || {
                    let _ = put();
                    false
                });
                self.stage.turn(|| Err(failed("timed out"))).await
            }
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.broken == Some(Rule::OwnStart) && is_start(location) {
            let own = self.own_start.lock().unwrap().clone();
            if let Some(own) = own {
                let mine = InMemory::new();
                mine.put(location, own.into()).await?;
                return mine.get_opts(location, options).await;
            }
            // The sink never sees another sink's start.
            return self.inner.get(&Path::from("nothing")).await;
        }
        let (inner, location) = (self.inner.clone(), location.clone());
        let get = move || inner.get_opts(&location, options).now_or_never().expect("memory answers at once");
        self.stage.turn(get).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, stage, prefix) = (self.inner.clone(), self.stage.clone(), prefix.cloned());
        let list = move || inner.list(prefix.as_ref());
        stream::once(async move { stage.turn(list).await }).flatten().boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = offset.clone();
        self.list(prefix).try_filter(move |object| std::future::ready(object.location > offset)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

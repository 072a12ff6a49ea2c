//! A table's folder on local disk, held open.
//!
//! Objects are put relative to the folder that was opened, wherever it lies by then: a folder that is moved away under a writer gets what
//! was on its way, one that is deleted refuses it, and at the old path nothing comes to be. Reads go by path, as they change nothing.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path as Folder, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::listing::{self, NotAFile};

/// The name of this store in errors.
const STORE: &str = "local disk";

/// A store in an existing folder. An object is on disk when its put returns.
#[derive(Debug)]
pub struct InPlace {
    reads: LocalFileSystem,
    folder: PathBuf,
    root: Arc<OwnedFd>,
}

impl InPlace {
    /// Opens `folder`, which is not made.
    pub fn open(folder: &Folder) -> Result<InPlace> {
        let root = open_folder(rustix::fs::CWD, folder).map_err(generic)?;
        let reads = LocalFileSystem::new_with_prefix(folder)?;
        Ok(InPlace { reads, folder: folder.canonicalize().map_err(generic)?, root: Arc::new(root) })
    }

    /// Lists all objects below `prefix`, and what has a data file's name without being a file.
    fn objects(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (folder, prefix) = (self.folder.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move {
            let listed = tokio::task::spawn_blocking(move || listing::list(&folder, &prefix)).await;
            let objects = listed.map_err(|source| Error::JoinError { source })?.map_err(generic)?;
            Ok::<_, Error>(futures::stream::iter(objects.into_iter().map(Ok)))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    fn refuse<T>(operation: &str) -> Result<T> {
        Err(Error::NotImplemented { operation: operation.to_owned(), implementer: STORE.to_owned() })
    }
}

impl fmt::Display for InPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reads)
    }
}

#[async_trait]
impl ObjectStore for InPlace {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let finish = match options.mode {
            PutMode::Create => Finish::Create,
            PutMode::Overwrite => Finish::Overwrite,
            PutMode::Update(_) => return InPlace::refuse("put with mode Update"),
        };
        let (root, to) = (Arc::clone(&self.root), location.clone());
        let done = tokio::task::spawn_blocking(move || put(&root, &to, &payload, finish)).await;
        match done {
            Ok(Ok(())) => Ok(PutResult { e_tag: None, version: None, extensions: Default::default() }),
            Ok(Err(error)) if finish == Finish::Create && error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path: location.to_string(), source: error.into() })
            }
            Ok(Err(error)) => Err(generic(error)),
            Err(source) => Err(Error::JoinError { source }),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        InPlace::refuse("put in parts")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = self.folder.join(location.as_ref());
        // Before it is opened: a pipe would wait for a writer.
        let looked = tokio::task::spawn_blocking(move || NotAFile::at(&path)).await;
        match looked.map_err(|source| Error::JoinError { source })? {
            Some(what) => Err(Error::Generic { store: STORE, source: what.into() }),
            None => self.reads.get_opts(location, options).await,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.reads.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = offset.clone();
        let is_behind = move |object: &ObjectMeta| futures::future::ready(object.location > offset);
        self.objects(prefix).try_filter(is_behind).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reads.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        InPlace::refuse("copy")
    }
}

/// The handling of an existing object of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    /// The object stays, and the put fails.
    Create,
    Overwrite,
}

/// Writes the object beside its place, syncs it, and gives it its name.
fn put(root: &OwnedFd, location: &Path, payload: &PutPayload, finish: Finish) -> io::Result<()> {
    let mut parts: Vec<_> = location.parts().collect();
    let name = parts.pop().ok_or(io::ErrorKind::InvalidInput)?;
    let name = name.as_ref();
    let mut folder = root.try_clone()?;
    for part in &parts {
        match rustix::fs::mkdirat(&folder, part.as_ref(), Mode::from_raw_mode(0o777)) {
            Ok(()) => rustix::fs::fsync(&folder)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = open_folder(&folder, part.as_ref())?;
    }
    let (staged, mut file) = stage(&folder, name)?;
    let written = payload.iter().try_for_each(|bytes| file.write_all(bytes)).and_then(|()| file.sync_all());
    let named = written.and_then(|()| match finish {
        Finish::Create => Ok(rustix::fs::linkat(&folder, &staged, &folder, name, AtFlags::empty())?),
        Finish::Overwrite => Ok(rustix::fs::renameat(&folder, &staged, &folder, name)?),
    });
    // One that stays is removed at the next start; after a rename there is none.
    let _ = rustix::fs::unlinkat(&folder, &staged, AtFlags::empty());
    named?;
    Ok(rustix::fs::fsync(&folder)?)
}

/// A new file `name#1`, or with the next number that is free.
fn stage(folder: &OwnedFd, name: &str) -> io::Result<(String, std::fs::File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    for number in 1_u32.. {
        let staged = format!("{name}#{number}");
        match rustix::fs::openat(folder, &staged, flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => return Ok((staged, file.into())),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn open_folder(at: impl std::os::fd::AsFd, folder: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, folder, flags, Mode::empty())?)
}

fn generic(error: io::Error) -> Error {
    Error::Generic { store: STORE, source: error.into() }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn a_table_keeps_its_promises_there() {
        let folder = tempfile::tempdir().unwrap();
        crate::conformance::run(Arc::new(InPlace::open(folder.path()).unwrap()), "a/b").await;
    }

    #[tokio::test]
    async fn what_is_put_lies_in_the_folder_that_was_opened_and_no_other_comes_to_be() {
        let above = tempfile::tempdir().unwrap();
        let (folder, away) = (above.path().join("table"), above.path().join("away"));
        std::fs::create_dir(&folder).unwrap();
        let store = InPlace::open(&folder).unwrap();
        let put = async |name: &str| store.put(&Path::from(name), PutPayload::from_static(b"rows")).await;
        put("posts/log=l/0.parquet").await.unwrap();
        std::fs::rename(&folder, &away).unwrap();
        for name in ["posts/log=l/1.parquet", "posts/log=other/0.parquet"] {
            put(name).await.unwrap();
            assert_eq!(std::fs::read(away.join(name)).unwrap(), b"rows");
        }
        assert!(!folder.exists());
        std::fs::remove_dir_all(&away).unwrap();
        for name in ["posts/log=l/2.parquet", "2.parquet"] {
            assert!(put(name).await.is_err());
        }
        assert_eq!(above.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_name_that_is_taken_stays_as_it_is_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = InPlace::open(folder.path()).unwrap();
        let (name, create) = (Path::from("a/0.parquet"), PutOptions::from(PutMode::Create));
        // As a killed writer leaves it.
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/0.parquet#1"), "half").unwrap();
        store.put_opts(&name, PutPayload::from_static(b"first"), create.clone()).await.unwrap();
        let second = store.put_opts(&name, PutPayload::from_static(b"second"), create).await;
        assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
        assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), b"first".as_slice());
        let listed: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(folder.path().join("a").read_dir().unwrap().count(), 2);
    }
}

//! Files that lie in memory, under std's names and with what std's do, as far as it is used here: folders that are made before
//! something lies in them, files that stay readable for who has them open, a place in them that copies of a handle share.

mod file;
mod tree;

pub use file::{File, OpenOptions};
#[cfg(target_arch = "wasm32")]
pub use tree::FileType;
pub use tree::{DirEntry, canonicalize, create_dir_all, metadata, read_dir, remove_dir_all, remove_file};

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
    use std::path::Path;

    use super::tree::exists;
    use super::*;

    #[test]
    fn files_are_read_where_they_were_left_and_stay_for_who_has_them_open() {
        let folder = Path::new("/read");
        assert_eq!(File::create_new(folder.join("a")).unwrap_err().kind(), ErrorKind::NotFound);
        create_dir_all(folder.join("inner")).unwrap();
        let mut file = File::create_new(folder.join("a")).unwrap();
        assert_eq!(File::create_new(folder.join("a")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        file.write_all(b"abcdef").unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        let mut copy = file.try_clone().unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"bc");
        copy.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"de");
        assert_eq!(copy.seek(SeekFrom::End(-7)).unwrap_err().kind(), ErrorKind::InvalidInput);
        file.read_exact_at(&mut two, 4).unwrap();
        assert_eq!(&two, b"ef");
        assert_eq!(file.read_exact_at(&mut two, 5).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        OpenOptions::new().append(true).open(folder.join("a")).unwrap().write_all(b"g").unwrap();
        assert_eq!(metadata(folder.join("a")).unwrap().len(), 7);
        let names: Vec<_> = read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(names.iter().map(DirEntry::path).collect::<Vec<_>>(), [folder.join("a"), folder.join("inner")]);
        assert_eq!(names[1].file_name(), "inner");
        assert_eq!(canonicalize("read/./inner").unwrap(), folder.join("inner"));
        assert!(names[1].file_type().unwrap().is_dir() && names[0].file_type().unwrap().is_file());
        remove_file(folder.join("a")).unwrap();
        assert!(!exists(&folder.join("a")));
        assert_eq!(file.metadata().unwrap().len(), 7);
        remove_dir_all(folder).unwrap();
        assert!(!exists(&folder.join("inner")) && exists(Path::new("/")));
    }

    #[test]
    fn a_file_takes_the_place_of_another_and_a_folder_does_not() {
        let folder = Path::new("place");
        create_dir_all(folder.join("taken")).unwrap();
        let file = File::unnamed();
        (&file).write_all(b"new").unwrap();
        file.name(&folder.join("a")).unwrap();
        file.name(&folder.join("a")).unwrap();
        assert_eq!(file.name(&folder.join("taken")).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(File::open(folder.join("taken")).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(create_dir_all(folder.join("a").join("b")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read_dir(folder.join("a")).unwrap_err().kind(), ErrorKind::NotADirectory);
        let mut text = String::new();
        File::open("place/a").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "new");
        OpenOptions::new().create(true).truncate(true).open("place/a").unwrap();
        assert_eq!(metadata("place/a").unwrap().len(), 0);
    }
}

//! In place of [`client`](crate::client) in a program without object stores: nothing of this type exists.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use crate::address::shown;
use crate::error::StoreError;
use crate::object::{Created, Object};

#[derive(Clone, Copy)]
pub(crate) enum Client {}

impl Client {
    pub(crate) fn new(address: &str) -> Result<Self, StoreError> {
        Err(StoreError::NotBuilt(shown(address)))
    }

    pub(crate) fn read(&self, _: &str, _: &str, _: u64) -> Result<Vec<u8>, StoreError> {
        match *self {}
    }

    pub(crate) fn read_range(
        &self,
        _: &str,
        _: &str,
        _: Range<u64>,
    ) -> Result<Vec<u8>, StoreError> {
        match *self {}
    }

    pub(crate) fn read_start(
        &self,
        _: &str,
        _: &str,
        _: u64,
    ) -> Result<(Vec<u8>, u64), StoreError> {
        match *self {}
    }

    pub(crate) fn size(&self, _: &str, _: &str) -> Result<Option<u64>, StoreError> {
        match *self {}
    }

    pub(crate) fn list(&self, _: &str) -> Result<Vec<Object>, StoreError> {
        match *self {}
    }

    pub(crate) fn download(
        &self,
        _: &str,
        _: &str,
        _: u64,
        _: &File,
        _: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) fn drain(
        &self,
        _: &str,
        _: &str,
        _: u64,
        _: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) fn create(&self, _: &str, _: &str, _: &Path) -> Result<Created, StoreError> {
        match *self {}
    }

    pub(crate) fn create_bytes(&self, _: &str, _: &str, _: Vec<u8>) -> Result<Created, StoreError> {
        match *self {}
    }

    pub(crate) fn replace_bytes(&self, _: &str, _: &str, _: Vec<u8>) -> Result<(), StoreError> {
        match *self {}
    }

    pub(crate) fn delete(&self, _: &str, _: &str) -> Result<(), StoreError> {
        match *self {}
    }
}

pub mod mfcc;

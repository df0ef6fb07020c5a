-- Folders as people have them, and what a person means by each. `files`: by path `true` for a picture of its own, or a
-- text. `means`: by picture its caption, or a list of captions; `classes`: by picture its class; `repeats` likewise.
-- `left`: by path in which list of the report it stands; whatever is not there has to be used. `refused` instead of
-- `means`: what the error says.
local layouts = {}

local function layout(name, t)
  t.name = name
  layouts[#layouts + 1] = t
end

-- ---- the eight that were read wrongly once ----------
layout("classes with pictures of two endings", {
  files = { ["cat/0.png"] = true, ["cat/photo.jpg"] = true, ["dog/0.png"] = true, ["dog/photo.jpg"] = "no JPEG" },
  means = { ["cat/0.png"] = "cat", ["cat/photo.jpg"] = "cat", ["dog/0.png"] = "dog" },
  classes = { ["cat/0.png"] = "cat", ["cat/photo.jpg"] = "cat", ["dog/0.png"] = "dog" },
  left = { ["dog/photo.jpg"] = "bad" },
})
layout("nested classes", {
  files = { ["cat/0.png"] = true, ["cat/small/0.png"] = true, ["dog/0.png"] = true, ["dog/small/0.png"] = true },
  means = { ["cat/0.png"] = "cat", ["cat/small/0.png"] = "cat", ["dog/0.png"] = "dog", ["dog/small/0.png"] = "dog" },
  classes = { ["cat/0.png"] = "cat", ["cat/small/0.png"] = "cat", ["dog/0.png"] = "dog", ["dog/small/0.png"] = "dog" },
})
layout("classes with texts", {
  files = { ["cat/0.png"] = true, ["cat/0.txt"] = "a cat asleep", ["dog/0.png"] = true, ["dog/0.txt"] = "a dog" },
  means = { ["cat/0.png"] = "a cat asleep", ["dog/0.png"] = "a dog" },
  classes = { ["cat/0.png"] = "cat", ["dog/0.png"] = "dog" },
})
layout("kohya with texts", {
  files = { ["10_cat/0.png"] = true, ["10_cat/0.txt"] = "cat, sitting", ["2_dog/0.png"] = true,
    ["2_dog/0.txt"] = "dog" },
  means = { ["10_cat/0.png"] = "cat, sitting", ["2_dog/0.png"] = "dog" },
  classes = { ["10_cat/0.png"] = "cat", ["2_dog/0.png"] = "dog" },
  repeats = { ["10_cat/0.png"] = 10, ["2_dog/0.png"] = 2 },
})
layout("Hugging Face, splits with metadata.jsonl", {
  files = { ["train/0.png"] = true, ["train/metadata.jsonl"] = '{"file_name": "0.png", "text": "one"}',
    ["test/0.png"] = true, ["test/metadata.jsonl"] = '{"file_name": "0.png", "text": "two"}' },
  means = { ["train/0.png"] = "one" }, left = { ["test/0.png"] = "apart", ["test/metadata.jsonl"] = "apart" },
})
layout("COCO", {
  files = { ["images/0.png"] = true, ["images/1.png"] = true, ["annotations/captions.json"] =
    '{"images": [{"id": 7, "file_name": "0.png"}, {"id": 8, "file_name": "1.png"}], "annotations": [' ..
    '{"image_id": 8, "caption": "a dog"}, {"image_id": 7, "caption": "a cat"}, {"image_id": 7, "caption": "cats"}]}' },
  means = { ["images/0.png"] = { "a cat", "cats" }, ["images/1.png"] = "a dog" },
})
layout("classes beside a README.txt", {
  files = { ["cat/0.png"] = true, ["dog/0.png"] = true, ["README.txt"] = "about this set" },
  means = { ["cat/0.png"] = "cat", ["dog/0.png"] = "dog" }, left = { ["README.txt"] = "unused" },
  classes = { ["cat/0.png"] = "cat", ["dog/0.png"] = "dog" },
})
layout("classes of nothing that can be read", {
  files = { ["cat/0.jpg"] = "no JPEG", ["dog/0.jpg"] = "no JPEG" },
  refused = { "2 .jpg: unreadable: .*cat/0.jpg, dog/0.jpg", "no picture with a caption is left" },
})

-- ---- texts ----------
layout("flat, .caption", {
  files = { ["a.png"] = true, ["a.caption"] = "one", ["b.png"] = true, ["b.caption"] = "two" },
  means = { ["a.png"] = "one", ["b.png"] = "two" },
})
layout("both .txt and .caption", {
  files = { ["a.png"] = true, ["a.caption"] = "tags", ["a.txt"] = "one" },
  means = { ["a.png"] = "one" }, left = { ["a.caption"] = "unused" },
})
layout("endings in capitals", {
  files = { ["A.PNG"] = true, ["A.TXT"] = "one", ["b.JPEG"] = true, ["b.txt"] = "two", ["c.WebP"] = true,
    ["c.Txt"] = "c" },
  means = { ["A.PNG"] = "one", ["b.JPEG"] = "two", ["c.WebP"] = "c" },
})
layout("texts at any depth", {
  files = { ["2023/may/a.png"] = true, ["2023/may/a.txt"] = "one", ["2024/b.png"] = true, ["2024/b.txt"] = "two",
    ["2024/old/older/c.png"] = true, ["2024/old/older/c.txt"] = "three" },
  means = { ["2023/may/a.png"] = "one", ["2024/b.png"] = "two", ["2024/old/older/c.png"] = "three" },
  classes = { ["2023/may/a.png"] = "2023", ["2024/b.png"] = "2024", ["2024/old/older/c.png"] = "2024" },
})
layout("images/ and captions/ beside each other", {
  files = { ["images/a.png"] = true, ["images/b.png"] = true, ["captions/a.txt"] = "one", ["captions/b.txt"] = "two" },
  means = { ["images/a.png"] = "one", ["images/b.png"] = "two" },
})
layout("pictures and texts in parallel trees (Oxford flowers)", {
  files = { ["jpg/image_1.jpg"] = true, ["jpg/image_2.jpg"] = true, ["text/class_01/image_1.txt"] = "a rose",
    ["text/class_02/image_2.txt"] = "a tulip" },
  means = { ["jpg/image_1.jpg"] = "a rose", ["jpg/image_2.jpg"] = "a tulip" },
})
layout("name.png.txt", {
  files = { ["a.png"] = true, ["a.png.txt"] = "one", ["b.jpg"] = true, ["b.jpg.txt"] = "two" },
  means = { ["a.png"] = "one", ["b.jpg"] = "two" },
})
layout("one text for a picture in two formats", {
  files = { ["a.png"] = true, ["a.jpg"] = true, ["a.txt"] = "one" }, means = { ["a.png"] = "one", ["a.jpg"] = "one" },
})
layout("a set in a folder of its own, as it was unpacked", {
  files = { ["photos/a.png"] = true, ["photos/a.txt"] = "one", ["__MACOSX/photos/._a.png"] = "resource fork",
    [".DS_Store"] = "x", ["photos/Thumbs.db"] = "x" },
  means = { ["photos/a.png"] = "one" },
  left = { ["__MACOSX/photos/._a.png"] = "apart", [".DS_Store"] = "apart", ["photos/Thumbs.db"] = "apart" },
})
layout("a repository: licence, .git, notes", {
  files = { ["a.png"] = true, ["a.txt"] = "one", LICENSE = "MIT", ["README.md"] = "# x", ["readme.txt"] = "x",
    [".git/config"] = "[core]", [".gitattributes"] = "*.png lfs" },
  means = { ["a.png"] = "one" }, left = { LICENSE = "unused", ["README.md"] = "unused", ["readme.txt"] = "unused",
    [".git/config"] = "apart", [".gitattributes"] = "apart" },
})
layout("img2dataset: .txt and .json beside each picture", {
  files = { ["00000/000000000.jpg"] = true, ["00000/000000000.txt"] = "one", ["00000/000000000.json"] = '{"url": "x"}',
    ["00000.tar"] = "tar", ["00000.parquet"] = "PAR1", ["00000_stats.json"] = '{"count": 1}' },
  means = { ["00000/000000000.jpg"] = "one" },
  left = { ["00000/000000000.json"] = "unused", ["00000.tar"] = "unused", ["00000.parquet"] = "unused",
    ["00000_stats.json"] = "unused" },
})
layout("pictures that are half captioned", {
  files = { ["a.png"] = true, ["a.txt"] = "one", ["b.png"] = true, ["c.txt"] = "lost" },
  means = { ["a.png"] = "one" }, left = { ["b.png"] = "orphans", ["c.txt"] = "orphans" },
})

layout("a picture and a text of one name, in folders that have nothing to do with each other", {
  files = { ["2023/1.png"] = true, ["2023/2.png"] = true, ["2023/2.txt"] = "two", ["2024/3.png"] = true,
    ["2024/3.txt"] = "three", ["2024/1.txt"] = "of a picture that is lost" },
  means = { ["2023/2.png"] = "two", ["2024/3.png"] = "three" },
  classes = { ["2023/2.png"] = "2023", ["2024/3.png"] = "2024" },
  left = { ["2023/1.png"] = "orphans", ["2024/1.txt"] = "orphans" },
})

-- ---- classes ----------
layout("classes in a folder of their own, names of several words", {
  files = { ["data/ankle_boot/0.png"] = true, ["data/t_shirt/0.png"] = true },
  means = { ["data/ankle_boot/0.png"] = "ankle boot", ["data/t_shirt/0.png"] = "t shirt" },
  classes = { ["data/ankle_boot/0.png"] = "ankle_boot", ["data/t_shirt/0.png"] = "t_shirt" },
})
layout("MNIST as folders of digits", {
  files = { ["0/a.png"] = true, ["1/a.png"] = true, ["2/a.png"] = true },
  means = { ["0/a.png"] = "0", ["1/a.png"] = "1", ["2/a.png"] = "2" },
  classes = { ["0/a.png"] = "0", ["1/a.png"] = "1", ["2/a.png"] = "2" },
})
layout("CUB: classes with numbers in front", {
  files = { ["images/001.Black_footed_Albatross/0.jpg"] = true, ["images/002.Laysan_Albatross/0.jpg"] = true },
  means = { ["images/001.Black_footed_Albatross/0.jpg"] = "Black footed Albatross",
    ["images/002.Laysan_Albatross/0.jpg"] = "Laysan Albatross" },
  classes = { ["images/001.Black_footed_Albatross/0.jpg"] = "001.Black_footed_Albatross",
    ["images/002.Laysan_Albatross/0.jpg"] = "002.Laysan_Albatross" },
})
layout("two classes that are counted", {
  files = { ["1_cat/0.png"] = true, ["2_dog/0.png"] = true },
  means = { ["1_cat/0.png"] = "cat", ["2_dog/0.png"] = "dog" },
  classes = { ["1_cat/0.png"] = "1_cat", ["2_dog/0.png"] = "2_dog" },
})
layout("classes that are counted, which is not kohya's", {
  files = { ["1_cat/0.png"] = true, ["2_dog/0.png"] = true, ["3_cow/0.png"] = true },
  means = { ["1_cat/0.png"] = "cat", ["2_dog/0.png"] = "dog", ["3_cow/0.png"] = "cow" },
  classes = { ["1_cat/0.png"] = "1_cat", ["2_dog/0.png"] = "2_dog", ["3_cow/0.png"] = "3_cow" },
})
layout("a class that is called train", {
  files = { ["bus/0.png"] = true, ["car/0.png"] = true, ["train/0.png"] = true },
  means = { ["bus/0.png"] = "bus", ["car/0.png"] = "car", ["train/0.png"] = "train" },
  classes = { ["bus/0.png"] = "bus", ["car/0.png"] = "car", ["train/0.png"] = "train" },
})
layout("one class alone", {
  files = { ["cat/0.png"] = true, ["cat/1.png"] = true }, means = { ["cat/0.png"] = "cat", ["cat/1.png"] = "cat" },
  classes = { ["cat/0.png"] = "cat", ["cat/1.png"] = "cat" },
})
layout("classes and a stray picture", {
  files = { ["cat/0.png"] = true, ["dog/0.png"] = true, ["preview.png"] = true },
  means = { ["cat/0.png"] = "cat", ["dog/0.png"] = "dog" }, left = { ["preview.png"] = "orphans" },
  classes = { ["cat/0.png"] = "cat", ["dog/0.png"] = "dog" },
})

-- ---- kohya ----------
layout("kohya without texts", {
  files = { ["5_sks dog/0.png"] = true, ["5_sks dog/1.png"] = true },
  means = { ["5_sks dog/0.png"] = "sks dog", ["5_sks dog/1.png"] = "sks dog" },
  classes = { ["5_sks dog/0.png"] = "sks dog", ["5_sks dog/1.png"] = "sks dog" },
  repeats = { ["5_sks dog/0.png"] = 5, ["5_sks dog/1.png"] = 5 },
})
layout("kohya's whole tree", {
  files = { ["img/20_me/0.png"] = true, ["img/20_me/0.txt"] = "me, smiling", ["reg/1_man/0.png"] = true,
    ["log/events"] = "x", ["model/last.safetensors"] = "x" },
  means = { ["img/20_me/0.png"] = "me, smiling" }, repeats = { ["img/20_me/0.png"] = 20 },
  left = { ["reg/1_man/0.png"] = "unused", ["log/events"] = "unused", ["model/last.safetensors"] = "unused" },
})
layout("kohya, repeats not heeded", {
  files = { ["10_cat/0.png"] = true, ["2_dog/0.png"] = true }, options = { repeats = false },
  means = { ["10_cat/0.png"] = "cat", ["2_dog/0.png"] = "dog" },
  classes = { ["10_cat/0.png"] = "cat", ["2_dog/0.png"] = "dog" },
})
layout("kohya's captions in one JSON file", {
  files = { ["a.png"] = true, ["b.png"] = true,
    ["meta_cap.json"] = '{"a": {"caption": "one"}, "b": {"caption": "two", "tags": "x"}}' },
  means = { ["a.png"] = "one", ["b.png"] = "two" },
})

-- ---- splits ----------
layout("splits with classes", {
  files = { ["train/cat/0.png"] = true, ["train/dog/0.png"] = true, ["test/cat/9.png"] = true,
    ["val/dog/9.png"] = true },
  means = { ["train/cat/0.png"] = "cat", ["train/dog/0.png"] = "dog" },
  classes = { ["train/cat/0.png"] = "cat", ["train/dog/0.png"] = "dog" },
  left = { ["test/cat/9.png"] = "apart", ["val/dog/9.png"] = "apart" },
})
layout("splits with texts, another one asked for", {
  files = { ["data/train/a.png"] = true, ["data/train/a.txt"] = "one", ["data/valid/b.png"] = true,
    ["data/valid/b.txt"] = "two" },
  options = { split = "validation" }, means = { ["data/valid/b.png"] = "two" },
  left = { ["data/train/a.png"] = "apart", ["data/train/a.txt"] = "apart" },
})
layout("all splits", {
  files = { ["train/a.png"] = true, ["train/a.txt"] = "one", ["test/b.png"] = true, ["test/b.txt"] = "two" },
  options = { split = "all" }, means = { ["train/a.png"] = "one", ["test/b.png"] = "two" },
})
layout("a split that is not there", {
  files = { ["train/a.png"] = true, ["train/a.txt"] = "one" }, options = { split = "test" },
  refused = { "there is no split test; the folder has train" },
})
layout("one metadata.csv for all splits", {
  files = { ["train/a.png"] = true, ["test/b.png"] = true,
    ["metadata.csv"] = "file_name,text\ntrain/a.png,one\ntest/b.png,two\n" },
  means = { ["train/a.png"] = "one" }, left = { ["test/b.png"] = "apart" },
})
layout("Kaggle: train.csv and test.csv beside images/", {
  files = { ["images/a.png"] = true, ["images/b.png"] = true, ["train.csv"] = "image,caption\na.png,one\n",
    ["test.csv"] = "image,caption\nb.png,two\n", ["sample_submission.csv"] = "id,score\n1,0\n" },
  means = { ["images/a.png"] = "one" },
  left = { ["images/b.png"] = "apart", ["test.csv"] = "apart", ["sample_submission.csv"] = "unused" },
})
layout("COCO with its years", {
  files = { ["train2017/1.png"] = true, ["val2017/2.png"] = true,
    ["annotations/captions_train2017.json"] =
      '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "caption": "one"}]}',
    ["annotations/captions_val2017.json"] =
      '{"images": [{"id": 2, "file_name": "2.png"}], "annotations": [{"image_id": 2, "caption": "two"}]}',
    ["annotations/instances_train2017.json"] =
      '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}' },
  means = { ["train2017/1.png"] = "one" },
  left = { ["val2017/2.png"] = "apart", ["annotations/captions_val2017.json"] = "apart",
    ["annotations/instances_train2017.json"] = "unused" },
})
layout("a column of splits", {
  files = { ["a.png"] = true, ["b.png"] = true, ["set.csv"] = "file,split,text\na.png,train,one\nb.png,test,two\n" },
  means = { ["a.png"] = "one" }, left = { ["b.png"] = "apart" },
})

layout("YOLO's way: images/train and labels/train", {
  files = { ["images/train/a.jpg"] = true, ["labels/train/a.txt"] = "one", ["images/val/b.jpg"] = true,
    ["labels/val/b.txt"] = "two" },
  means = { ["images/train/a.jpg"] = "one" }, left = { ["images/val/b.jpg"] = "apart", ["labels/val/b.txt"] = "apart" },
})
layout("one table, of a split that nobody asked for", {
  files = { ["images/a.jpg"] = true, ["captions_val.csv"] = "file_name,caption\na.jpg,one\n" },
  means = { ["images/a.jpg"] = "one" },
})
layout("train asked for where there are no splits", {
  files = { ["a.jpg"] = true, ["a.txt"] = "one" }, options = { split = "train" }, means = { ["a.jpg"] = "one" },
})
layout("test asked for where there are no splits", {
  files = { ["a.jpg"] = true, ["a.txt"] = "one" }, options = { split = "test" },
  refused = { "there is no split test; the folder has none" },
})

-- ---- tables ----------
layout("captions.csv: quotes, a byte-order mark, CRLF, other columns", {
  files = { ["imgs/a.png"] = true, ["imgs/b.png"] = true,
    ["captions.csv"] = '\u{feff}filename,caption,author\r\nimgs/a.png,"a star, ""red""",me\r\n' ..
      "imgs\\b.png,two,you\r\n" },
  means = { ["imgs/a.png"] = 'a star, "red"', ["imgs/b.png"] = "two" },
})
layout("semicolons, names without endings", {
  files = { ["a.png"] = true, ["b.jpg"] = true, ["list.csv"] = "file;prompt\na;one\nb;two\n" },
  means = { ["a.png"] = "one", ["b.jpg"] = "two" },
})
layout("a table with tabs and no header (Flickr30k), as .txt", {
  files = { ["images/a.jpg"] = true, ["captions.txt"] = "a.jpg#0\tone\na.jpg#1\tanother\n" },
  means = { ["images/a.jpg"] = { "one", "another" } },
})
layout("Flickr8k: captions.txt with five captions a picture", {
  files = { ["Images/a.jpg"] = true, ["Images/b.jpg"] = true,
    ["captions.txt"] = "image,caption\na.jpg,A child .\na.jpg,A girl .\nb.jpg,Two dogs .\n" },
  means = { ["Images/a.jpg"] = { "A child .", "A girl ." }, ["Images/b.jpg"] = "Two dogs ." },
})
layout("a table of labels", {
  files = { ["train/1.png"] = true, ["train/2.png"] = true,
    ["trainLabels.csv"] = "file,label\n1.png,frog\n2.png,truck\n" },
  means = { ["train/1.png"] = "frog", ["train/2.png"] = "truck" },
  classes = { ["train/1.png"] = "frog", ["train/2.png"] = "truck" },
})
layout("metadata.jsonl of folders, another field", {
  files = { ["x/a.png"] = true, ["x/metadata.jsonl"] = '{"file_name": "a.png", "text": "short", "long": "a long one"}',
    ["y/b.png"] = true, ["y/metadata.jsonl"] = '{"file_name": "b.png", "long": ["two", "zwei"]}' },
  options = { key = "long" }, means = { ["x/a.png"] = "a long one", ["y/b.png"] = { "two", "zwei" } },
  classes = { ["x/a.png"] = "x", ["y/b.png"] = "y" },
})
layout("rows as BLIP and others write them", {
  files = { ["a.png"] = true, ["train.json"] = '[{"image": "a.png", "caption": "one", "image_id": "0"}]' },
  means = { ["a.png"] = "one" },
})
layout("Karpathy's JSON", {
  files = { ["imgs/a.jpg"] = true, ["imgs/b.jpg"] = true, ["dataset.json"] = '{"images": [' ..
    '{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "one"}, {"raw": "uno"}]},' ..
    '{"filename": "b.jpg", "split": "test", "sentences": [{"raw": "two"}]}], "dataset": "x"}' },
  means = { ["imgs/a.jpg"] = { "one", "uno" } }, left = { ["imgs/b.jpg"] = "apart" },
})
layout("a table that names pictures which are not there", {
  files = { ["a.png"] = true, ["metadata.csv"] = "file_name,text\nb.png,one\n" },
  refused = { "metadata.csv:2: no picture b.png", "a.png: not in metadata.csv", "no picture with a caption is left" },
})

layout("masks and thumbnails beside images/ and captions/", {
  files = { ["images/a.png"] = true, ["masks/a.png"] = true, ["captions/a.txt"] = "one", ["thumbs/a.jpg"] = true },
  means = { ["images/a.png"] = "one" }, left = { ["masks/a.png"] = "unused", ["thumbs/a.jpg"] = "unused" },
})

layout("masks of the names in a table", {
  files = { ["images/a.png"] = true, ["masks/a.png"] = true, ["captions.csv"] = "image,text\na.png,one\n" },
  means = { ["images/a.png"] = "one" }, left = { ["masks/a.png"] = "unused" },
})

-- ---- no captions ----------
layout("captions from the files' names", {
  files = { ["a red star_001.png"] = true, ["blue-circle (2).png"] = true }, options = { captions = "names" },
  means = { ["a red star_001.png"] = "a red star", ["blue-circle (2).png"] = "blue circle" },
})
layout("sprites without captions", {
  files = { ["x/a.png"] = true, ["y/z/b.png"] = true, ["c.png"] = true }, options = { captions = "none" },
  means = { ["x/a.png"] = "", ["y/z/b.png"] = "", ["c.png"] = "" },
})
layout("nothing says what the pictures show", {
  files = { ["a.png"] = true, ["b.png"] = true, ["notes.md"] = "x" },
  refused = { "nothing says what its 2 pictures show", 'captions = "none"', "notes.md" },
})
layout("pictures in images/, and nothing else", {
  files = { ["images/a.png"] = true }, refused = { "nothing says what its 1 pictures show" },
})
layout("archives that nobody unpacked", {
  files = { ["data/train-00000-of-00001.parquet"] = "PAR1", ["photos.zip"] = "PK" },
  refused = { "photos.zip: an archive", "parquet: an archive", "there is no picture in it" },
})

return layouts

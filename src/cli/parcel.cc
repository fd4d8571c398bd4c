#include "cli/parcel.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "appfile/appfile.h"
#include "weights/scan.h"

namespace kelvin::cli {

namespace {

namespace fs = std::filesystem;

Failure faulty(const std::vector<appfile::Complaint>& complaints) {
  Failure failure{.exit = ExitCode::Usage, .code = "app_file_invalid"};
  for (const appfile::Complaint& one : complaints) {
    failure.faults.push_back({one.file, one.line, one.column, one.message});
  }
  const std::size_t count = failure.faults.size();
  failure.what = count == 1 ? "the app file has a fault"
                            : "the app file has " + std::to_string(count) + " faults";
  failure.why = "nothing was changed";
  failure.next = "mend what is marked above and deploy again";
  return failure;
}

Failure unreadable(const std::string& path, int error) {
  return {.exit = ExitCode::Usage,
          .code = "unreadable",
          .what = "cannot read " + path,
          .why = std::strerror(error),
          .next = "name an app file, or a folder that holds kelvin.yaml"};
}

Attempt<std::string> read_app_file(const fs::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return failed(unreadable(path.string(), errno == 0 ? ENOENT : errno));
  // One byte over the limit is enough for the parser to refuse it.
  std::string text(appfile::Limits{}.file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return failed(unreadable(path.string(), errno == 0 ? EIO : errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

void add_files(const std::vector<weights::ScannedFile>& files, std::vector<wire::ContentFile>& to,
               Parcel& parcel) {
  for (const weights::ScannedFile& one : files) {
    to.push_back({one.file.path, one.file.is_executable, one.file.sha256, one.file.size.count});
    parcel.sources[one.file.sha256] = one.source;
  }
}

std::string model_path(const appfile::ParsedApp& app, const fs::path& folder) {
  return (folder / app.spec.model).lexically_normal().string();
}

Attempt<void> add_model(const appfile::ParsedApp& app, const fs::path& folder,
                        const weights::ScanProgress& progress, Parcel& parcel) {
  if (app.spec.model.empty()) return {};
  const auto model = weights::scan_model(model_path(app, folder), progress);
  if (!model)
    return failed(
        faulty({appfile::complaint_at(app, "model", app.spec.model, model.error().what)}));
  parcel.deploy.model_name = model->name;
  parcel.deploy.model_is_folder = model->is_folder;
  add_files(model->files, parcel.deploy.model, parcel);
  return {};
}

Attempt<Parcel> pack_app(const appfile::ParsedApp& app, const std::string& text,
                         const weights::ScanProgress& progress) {
  const fs::path path = app.file;
  fs::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  Parcel parcel{.app = app.spec.name};
  parcel.deploy.file = text;
  parcel.deploy.file_name = path.filename().string();
  // The model first: it is what is most often missing, and the folder is read without it.
  const auto added = add_model(app, folder, progress, parcel);
  if (!added) return failed(added.error());
  weights::ScanOptions options{.folder = folder.string(), .progress = progress};
  if (!app.spec.model.empty()) options.model = model_path(app, folder);
  const auto scanned = weights::scan_folder(options);
  if (!scanned) {
    return failed({.exit = ExitCode::Usage,
                   .code = "folder_invalid",
                   .what = "cannot take the app's folder " + folder.string(),
                   .why = scanned.error().what});
  }
  add_files(scanned->files, parcel.deploy.folder, parcel);
  parcel.skipped = scanned->skipped;
  return parcel;
}

}  // namespace

ReadApp read_app(const std::string& path) {
  std::error_code ignored;
  const fs::path file =
      fs::is_directory(path, ignored) ? fs::path(path) / "kelvin.yaml" : fs::path(path);
  auto text = read_app_file(file);
  if (!text) return {"", failed(text.error())};
  auto app = appfile::parse(*text, file.string());
  if (!app) return {std::move(*text), failed(faulty(app.error()))};
  return {std::move(*text), std::move(*app)};
}

Packed pack(const std::string& path, const std::function<void(Bytes, Bytes)>& progress) {
  ReadApp read = read_app(path);
  if (!read.app) return {std::move(read.text), failed(std::move(read.app.error()))};
  auto parcel = pack_app(*read.app, read.text, progress);
  return {std::move(read.text), std::move(parcel)};
}

}  // namespace kelvin::cli

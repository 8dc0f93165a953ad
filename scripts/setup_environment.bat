@echo off
rem Installs what a build of libqmtcnn needs on Windows, through MSYS2 (UCRT64), and builds it with its C examples.
rem The library is what ships inside a product. The toolkit (training, the qmtcnn command) needs POSIX: use WSL or Linux.
rem Not run on a Windows machine yet: scripts/check_windows.sh cross-compiles with MinGW-w64 and runs the result in Wine.
setlocal
set MSYS=%MSYS2_HOME%
if "%MSYS%"=="" set MSYS=C:\msys64
if not exist "%MSYS%\usr\bin\bash.exe" (
    echo setup_environment.bat: MSYS2 is not in %MSYS%. Install it from msys2.org, or set MSYS2_HOME to its folder. 1>&2
    exit /b 1
)
"%MSYS%\usr\bin\bash.exe" -lc "pacman -S --needed --noconfirm mingw-w64-ucrt-x86_64-{clang,cmake,ninja,pkgconf,protobuf-c}"
if errorlevel 1 exit /b 1
set MSYSTEM=UCRT64
set CHERE_INVOKING=1
cd /d "%~dp0.."
"%MSYS%\usr\bin\bash.exe" -lc "CC=clang CXX=clang++ cmake -S . -B build/windows -G Ninja -DQMT_TOOLKIT=OFF -DQMT_TESTS=OFF && cmake --build build/windows"
if errorlevel 1 exit /b 1
echo Built: build\windows\libqmtcnn.a and build\windows\example_detect.exe (MODELS PICTURE.ppm)

@echo off
rem Installs what a build of qmtcnn needs on Windows, through MSYS2 (UCRT64), and says how to build.
rem Not run on a Windows machine yet; the package names are those of MSYS2's UCRT64 repository.
setlocal
set MSYS=%MSYS2_HOME%
if "%MSYS%"=="" set MSYS=C:\msys64
if not exist "%MSYS%\usr\bin\bash.exe" (
    echo setup_environment.bat: MSYS2 is not in %MSYS%. Install it from msys2.org, or set MSYS2_HOME to its folder. 1>&2
    exit /b 1
)
"%MSYS%\usr\bin\bash.exe" -lc "pacman -S --needed --noconfirm mingw-w64-ucrt-x86_64-{clang,cmake,ninja,pkgconf,libjpeg-turbo,libpng,libyaml,jansson,zlib,cairo,protobuf-c,xxhash,cmocka}"
if errorlevel 1 exit /b 1
echo Now, in the "MSYS2 UCRT64" shell:  cmake --preset release ^&^& cmake --build --preset release

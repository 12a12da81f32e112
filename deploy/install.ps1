<#
.SYNOPSIS
Installs, updates or removes the ReconSync agent on a game host with Windows.

.DESCRIPTION
Needs Node.js, installed for all users, and an administrator's PowerShell. Running it again updates the program. A config that is there is
never overwritten. A script that was downloaded may have to be allowed first: Unblock-File install.ps1

.EXAMPLE
powershell -ExecutionPolicy Bypass -File install.ps1 -From reconsync-0.1.0.tgz

.EXAMPLE
powershell -ExecutionPolicy Bypass -File install.ps1 -Uninstall
#>
[CmdletBinding()]
param(
  # reconsync-VERSION.tgz, its https:// address, or npm:PACKAGE@VERSION
  [string]$From = '',
  # What the archive must be.
  [string]$Sha256 = '',
  # Where to install. Only administrators should be able to write there: SYSTEM runs it.
  [string]$Prefix = (Join-Path $env:ProgramFiles 'ReconSync'),
  # Folder of config.yaml.
  [string]$ConfigDir = (Join-Path $env:ProgramData 'ReconSync'),
  # The Node.js to run it with; the one in PATH by default.
  [string]$Node = '',
  # Remove the program and its task; config, state and backups stay.
  [switch]$Uninstall,
  # Say what would be done, and change nothing.
  [switch]$DryRun
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$NodeMajor = 22
$NodeMinor = 16

function Invoke-Step([string]$Text, [scriptblock]$Work) {
  if ($DryRun) { Write-Output "Would: $Text" } else { & $Work }
}

# Runs a program; a code other than 0 is a failure.
function Invoke-Program([string]$File, [string[]]$Arguments) {
  & $File @Arguments
  if ($LASTEXITCODE -ne 0) { throw "$File ended with $LASTEXITCODE." }
}

function Assert-Administrator {
  if ($DryRun) { return }
  $me = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
  if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'An administrator is needed: open PowerShell by "Run as administrator", then run this again.'
  }
}

function Find-Node {
  $file = $Node
  if ($file -eq '') {
    $found = Get-Command node.exe -ErrorAction SilentlyContinue
    if ($null -ne $found) { $file = $found.Source }
  }
  $advice = "Node.js $NodeMajor.$NodeMinor or newer is needed, from the installer on https://nodejs.org/en/download, for all users."
  if ($file -eq '' -or -not (Test-Path -LiteralPath $file)) { throw "$advice It was not found." }
  $version = [version](& $file -p process.versions.node)
  if ($version -lt [version]"$NodeMajor.$NodeMinor") { throw "$advice $file is $version." }
  return $file
}

# Puts the archive into the folder, and answers its path.
function Get-Archive([string]$Folder) {
  $file = Join-Path $Folder 'package.tgz'
  if ($From -match '^https://') {
    Write-Host "Downloading $From"
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    Invoke-WebRequest -UseBasicParsing -Uri $From -OutFile $file -TimeoutSec 600
  } elseif ($From -match '^http://') {
    throw "$From is not encrypted. Use https://, or download it another way and give the file."
  } elseif ($From -match '^npm:(.+)$') {
    Push-Location $Folder
    try { Invoke-Program 'npm.cmd' @('pack', '--silent', $Matches[1]) | Out-Null } finally { Pop-Location }
    Move-Item -Path (Join-Path $Folder '*.tgz') -Destination $file
  } else {
    Copy-Item -LiteralPath $From -Destination $file
  }
  return $file
}

function Install-Agent {
  if ($From -eq '') { throw 'Say what to install: -From reconsync-VERSION.tgz' }
  Assert-Administrator
  $nodeFile = Find-Node
  $scratch = Join-Path ([IO.Path]::GetTempPath()) ("reconsync-" + [Guid]::NewGuid().ToString('N'))
  New-Item -ItemType Directory -Path $scratch | Out-Null
  try {
    $archive = Get-Archive $scratch
    if ($Sha256 -ne '') {
      $real = (Get-FileHash -Algorithm SHA256 -LiteralPath $archive).Hash
      if ($real -ne $Sha256) { throw "The archive is not the one that was meant: its SHA-256 is $real." }
    }
    Invoke-Program (Join-Path $env:SystemRoot 'System32\tar.exe') @('-xzf', $archive, '-C', $scratch)
    $package = Join-Path $scratch 'package'
    $script = Join-Path $package 'dist\reconsync.js'
    if (-not (Test-Path -LiteralPath $script)) { throw 'The archive is not a package of ReconSync.' }
    $what = Invoke-Program $nodeFile @($script, '--version')
    Write-Output "Installing $what in $Prefix, with $nodeFile"

    $target = Join-Path $Prefix 'app'
    $bin = Join-Path $Prefix 'bin'
    Invoke-Step "stop the task ReconSync, if there is one" {
      & (Join-Path $env:SystemRoot 'System32\schtasks.exe') /End /TN ReconSync 2>$null | Out-Null
    }
    Invoke-Step "put the program into $target" {
      New-Item -ItemType Directory -Force -Path $Prefix, $bin | Out-Null
      $new = "$target.new"
      if (Test-Path -LiteralPath $new) { Remove-Item -Recurse -Force -LiteralPath $new }
      Copy-Item -Recurse -LiteralPath $package -Destination $new
      if (Test-Path -LiteralPath $target) { Remove-Item -Recurse -Force -LiteralPath $target }
      Move-Item -LiteralPath $new -Destination $target
    }
    Invoke-Step "write $bin\reconsync.cmd" {
      $line = '@"{0}" "{1}" %*' -f $nodeFile, (Join-Path $target 'dist\reconsync.js')
      Set-Content -LiteralPath (Join-Path $bin 'reconsync.cmd') -Value $line -Encoding Ascii
    }
    $path = [Environment]::GetEnvironmentVariable('Path', 'Machine')
    if (($path -split ';') -notcontains $bin) {
      Invoke-Step "add $bin to PATH" { [Environment]::SetEnvironmentVariable('Path', "$path;$bin", 'Machine') }
    }
    $config = Join-Path $ConfigDir 'config.yaml'
    if (Test-Path -LiteralPath $config) {
      Write-Output "$config stays as it is."
    } else {
      Invoke-Step "write an example to $config, for administrators only" {
        New-Item -ItemType Directory -Force -Path $ConfigDir | Out-Null
        # By number: the names of the administrators and of SYSTEM differ by language.
        $grants = @('/inheritance:r', '/grant:r', '*S-1-5-32-544:(OI)(CI)F', '*S-1-5-18:(OI)(CI)F')
        Invoke-Program (Join-Path $env:SystemRoot 'System32\icacls.exe') (@($ConfigDir) + $grants) | Out-Null
        Copy-Item -LiteralPath (Join-Path $target 'config.example.yaml') -Destination $config
      }
    }
    if ($DryRun) { Write-Output 'Nothing was changed.'; return }
    Write-Output "Next, in a new PowerShell as administrator:"
    Write-Output "  1. Write $config, then: reconsync check"
    Write-Output "  2. In Discord: /agent register. Then: reconsync enroll https://YOUR-WORKER CODE"
    Write-Output "  3. reconsync service install"
    Write-Output "After an update, 3 alone renews and starts the task."
  } finally {
    Remove-Item -Recurse -Force -LiteralPath $scratch
  }
}

function Uninstall-Agent {
  Assert-Administrator
  $bin = Join-Path $Prefix 'bin'
  $command = Join-Path $bin 'reconsync.cmd'
  if (Test-Path -LiteralPath $command) {
    Invoke-Step 'reconsync service uninstall' { Invoke-Program $command @('service', 'uninstall') }
  }
  foreach ($folder in @($bin, (Join-Path $Prefix 'app'))) {
    if (Test-Path -LiteralPath $folder) { Invoke-Step "remove $folder" { Remove-Item -Recurse -Force -LiteralPath $folder } }
  }
  $path = [Environment]::GetEnvironmentVariable('Path', 'Machine')
  $rest = ($path -split ';' | Where-Object { $_ -ne $bin }) -join ';'
  if ($rest -ne $path) { Invoke-Step "take $bin out of PATH" { [Environment]::SetEnvironmentVariable('Path', $rest, 'Machine') } }
  if ($DryRun) { Write-Output 'Nothing was changed.' } else { Write-Output "Removed. What stays: $ConfigDir with config and state, and every backup." }
}

if ($Uninstall) { Uninstall-Agent } else { Install-Agent }
